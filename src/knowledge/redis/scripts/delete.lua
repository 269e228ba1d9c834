-- Removes documents of a collection. That they are gone stands in the changes, for those who have them indexed.
-- KEYS: the version, the changes, the collection's documents, the tenant's collections
-- ARGV: the collection, what the documents' keys begin with, what their names begin with, then ids; without any it is
-- all of them
-- Gives how many there were.
local ids = {}
for index = 4, #ARGV do ids[#ids + 1] = ARGV[index] end
if #ids == 0 then ids = redis.call('SMEMBERS', KEYS[3]) end
local removed = 0
for _, id in ipairs(ids) do
  if redis.call('SREM', KEYS[3], id) == 1 then
    local name = ARGV[3] .. id
    local document = ARGV[2] .. redis.sha1hex(name)
    local request = redis.call('HGET', document, 'request')
    if request then redis.call('DEL', request) end
    redis.call('UNLINK', document)
    redis.call('ZADD', KEYS[2], redis.call('INCR', KEYS[1]), name)
    if redis.call('HINCRBY', KEYS[4], ARGV[1], -1) <= 0 then redis.call('HDEL', KEYS[4], ARGV[1]) end
    removed = removed + 1
  end
end
return removed
