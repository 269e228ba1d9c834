-- Makes a conversation: its log with the events that it begins with, and its row. Once, whoever comes first.
-- KEYS row, log, tombstone, and where it lies on the same node, the feed
-- ARGV channel, origin, id, the feed's length, tenant, how many arguments the row's fields are, those fields, each
--      with its value, then type and JSON of each event
-- gives 'created', 'exists' or 'removed' (it was there, and must not come back)
local row, log, tombstone, feed = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
if redis.call('EXISTS', tombstone) == 1 then return 'removed' end
if redis.call('EXISTS', row) == 1 then return 'exists' end

local first = 7 + tonumber(ARGV[6])
local entries = {}
for index = first, #ARGV, 2 do
  local seq = #entries + 1
  redis.call('XADD', log, seq .. '-0', 'type', ARGV[index], 'json', ARGV[index + 1])
  entries[seq] = { seq = seq, type = ARGV[index], json = ARGV[index + 1] }
end
redis.call('HSET', row, 'tenant', ARGV[5], unpack(ARGV, 7, first - 1))
if redis.call('HGET', row, 'status') == 'running' and redis.call('HEXISTS', row, 'started_at') == 0 then
  redis.call('HSET', row, 'status', 'queued')
end
if feed then
  redis.call('XADD', feed, 'MAXLEN', '~', ARGV[4], '*',
    'kind', 'grown', 'tenant', ARGV[5], 'id', ARGV[3], 'from', 1, 'seq', #entries)
end
redis.call('PUBLISH', ARGV[1], cjson.encode({ origin = ARGV[2], entries = entries }))
return 'created'
