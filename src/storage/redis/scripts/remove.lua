-- Removes a conversation. A tombstone keeps whoever found its idempotency key a moment ago from making it again.
-- KEYS row, log, tombstone, and where it lies on the same node, the feed
-- ARGV channel, origin, id, the feed's length, tenant, milliseconds for which the tombstone stands
-- gives 1, or 0 where there was none
local row, log, tombstone, feed = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
if redis.call('EXISTS', row) == 0 then return 0 end
local keyed = redis.call('HEXISTS', row, 'claim') == 1
redis.call('UNLINK', row, log)
if keyed then redis.call('SET', tombstone, '', 'PX', ARGV[6]) end
if feed then
  redis.call('XADD', feed, 'MAXLEN', '~', ARGV[4], '*', 'kind', 'removed', 'tenant', ARGV[5], 'id', ARGV[3])
end
redis.call('PUBLISH', ARGV[1], cjson.encode({ origin = ARGV[2], removed = true }))
return 1
