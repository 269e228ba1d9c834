-- Notes that a queued conversation runs now; anything else stays as it is.
-- KEYS row
-- ARGV startedAt
-- gives 1 where it was queued, else 0
if redis.call('HGET', KEYS[1], 'status') ~= 'queued' then return 0 end
redis.call('HSET', KEYS[1], 'status', 'running', 'started_at', ARGV[1])
return 1
