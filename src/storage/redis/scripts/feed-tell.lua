-- Tells the feed of a change that was made, and that it is no longer only intended.
-- KEYS feed, intended
-- ARGV the feed's length, what was intended, then the fields of the entry, each with its value
redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', unpack(ARGV, 3))
redis.call('ZREM', KEYS[2], ARGV[2])
