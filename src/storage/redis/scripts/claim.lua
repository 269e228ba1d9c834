-- Takes an idempotency key for a conversation that is about to be made, unless it is held.
-- KEYS claim
-- ARGV id, body hash, createdAt in milliseconds, 'running' or 'queued' as the conversation will begin, and the
--      milliseconds for which a key is remembered
-- gives id, body hash, createdAt and beginning of the conversation that it stands for now
local claim = KEYS[1]
local id, body_hash, created_at, beginning =
  unpack(redis.call('HMGET', claim, 'id', 'body_hash', 'created_at', 'beginning'))
if id and tonumber(created_at) > tonumber(ARGV[3]) - tonumber(ARGV[5]) then
  return { id, body_hash, created_at, beginning }
end
redis.call('HSET', claim, 'id', ARGV[1], 'body_hash', ARGV[2], 'created_at', ARGV[3], 'beginning', ARGV[4])
redis.call('PEXPIRE', claim, ARGV[5])
return { ARGV[1], ARGV[2], ARGV[3], ARGV[4] }
