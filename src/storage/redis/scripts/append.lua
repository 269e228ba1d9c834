-- Appends events and sets the row's fields to what they make of it: all or nothing.
-- KEYS row, log, and where it lies on the same node, the feed
-- ARGV channel, origin, id, the feed's length, expected seq, how many arguments the row's fields are, those fields,
--      each with its value, then type and JSON of each event
-- gives 'appended', 'not_found', 'terminated' or 'sequence_conflict'
local row, log, feed = KEYS[1], KEYS[2], KEYS[3]
local status, last_seq, started_at, tenant =
  unpack(redis.call('HMGET', row, 'status', 'last_seq', 'started_at', 'tenant'))
if not status then return 'not_found' end
if status == 'terminated' then return 'terminated' end
if last_seq ~= ARGV[5] then return 'sequence_conflict' end

local first = 7 + tonumber(ARGV[6])
local entries = {}
local seq = tonumber(last_seq)
for index = first, #ARGV, 2 do
  seq = seq + 1
  -- The stream takes no number twice, and none below its last.
  redis.call('XADD', log, seq .. '-0', 'type', ARGV[index], 'json', ARGV[index + 1])
  entries[#entries + 1] = { seq = seq, type = ARGV[index], json = ARGV[index + 1] }
end
redis.call('HSET', row, unpack(ARGV, 7, first - 1))
-- Whether it waits for a place is in no event.
if not started_at and redis.call('HGET', row, 'status') == 'running' then
  redis.call('HSET', row, 'status', 'queued')
end
if feed then
  redis.call('XADD', feed, 'MAXLEN', '~', ARGV[4], '*',
    'kind', 'grown', 'tenant', tenant or 'default', 'id', ARGV[3], 'from', last_seq + 1, 'seq', seq)
end
redis.call('PUBLISH', ARGV[1], cjson.encode({ origin = ARGV[2], entries = entries }))
return 'appended'
