-- KEYS intended
-- ARGV milliseconds for which a change may be under way, how many are wanted at most
-- gives what was intended longer ago and neither told nor given up
local seconds, microseconds = unpack(redis.call('TIME'))
local before = seconds * 1000 + math.floor(microseconds / 1000) - ARGV[1]
return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', before, 'LIMIT', 0, ARGV[2])
