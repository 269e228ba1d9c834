-- Keeps a document, in the place of the one with its id.
-- KEYS: the version, the changes, the document, its collection's documents, the tenant's collections, and where the
-- request is named, its name
-- ARGV: the member of the changes, the document's id, the collection, the document, how many collections there may be,
-- the request's body hash or '', for how many seconds it is remembered
-- Gives 'kept', 'full', 'idempotency_mismatch', or 'replayed' and the id behind a space.
local request = KEYS[6]
if ARGV[6] ~= '' then
  local before = redis.call('HMGET', request, 'body', 'id')
  if before[1] then
    if before[1] == ARGV[6] then return 'replayed ' .. before[2] end
    return 'idempotency_mismatch'
  end
end
if redis.call('HEXISTS', KEYS[5], ARGV[3]) == 0 and redis.call('HLEN', KEYS[5]) >= tonumber(ARGV[5]) then
  return 'full'
end
local earlier = redis.call('HGET', KEYS[3], 'request')
if earlier then redis.call('DEL', earlier) end
redis.call('DEL', KEYS[3])
redis.call('HSET', KEYS[3], 'json', ARGV[4])
if ARGV[6] ~= '' then
  redis.call('HSET', KEYS[3], 'request', request)
  redis.call('HSET', request, 'body', ARGV[6], 'id', ARGV[2])
  redis.call('EXPIRE', request, ARGV[7])
end
if redis.call('SADD', KEYS[4], ARGV[2]) == 1 then redis.call('HINCRBY', KEYS[5], ARGV[3], 1) end
redis.call('ZADD', KEYS[2], redis.call('INCR', KEYS[1]), ARGV[1])
return 'kept'
