-- Forgets an idempotency key, if it still stands for this conversation.
-- KEYS claim
-- ARGV id
-- gives 1, or 0 where it stands for another one or for none
if redis.call('HGET', KEYS[1], 'id') ~= ARGV[1] then return 0 end
return redis.call('UNLINK', KEYS[1])
