-- Removes a conversation. A tombstone keeps whoever found its idempotency key a moment ago from making it again.
-- KEYS row, log, tombstone
-- ARGV channel, origin, milliseconds for which the tombstone stands
-- gives 1, or 0 where there was none
local row, log, tombstone = KEYS[1], KEYS[2], KEYS[3]
if redis.call('EXISTS', row) == 0 then return 0 end
local keyed = redis.call('HEXISTS', row, 'claim') == 1
redis.call('UNLINK', row, log)
if keyed then redis.call('SET', tombstone, '', 'PX', ARGV[3]) end
redis.call('PUBLISH', ARGV[1], cjson.encode({ origin = ARGV[2], removed = true }))
return 1
