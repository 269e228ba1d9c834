-- Notes that a conversation is about to be changed, so that whoever finds it later can look at what became of it.
-- KEYS intended
-- ARGV what is about to be told
local seconds, microseconds = unpack(redis.call('TIME'))
-- The server's clock, which all instances share.
redis.call('ZADD', KEYS[1], seconds * 1000 + math.floor(microseconds / 1000), ARGV[1])
