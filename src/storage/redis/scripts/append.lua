-- Appends events and sets the row's fields to what they make of it: all or nothing.
-- KEYS row, log
-- ARGV channel, origin, expected seq, how many arguments the row's fields are, those fields, each with its value,
--      then type and JSON of each event
-- gives 'appended', 'not_found', 'terminated' or 'sequence_conflict'
local row, log = KEYS[1], KEYS[2]
local status, last_seq, started_at = unpack(redis.call('HMGET', row, 'status', 'last_seq', 'started_at'))
if not status then return 'not_found' end
if status == 'terminated' then return 'terminated' end
if last_seq ~= ARGV[3] then return 'sequence_conflict' end

local first = 5 + tonumber(ARGV[4])
local entries = {}
local seq = tonumber(last_seq)
for index = first, #ARGV, 2 do
  seq = seq + 1
  -- The stream takes no number twice, and none below its last.
  redis.call('XADD', log, seq .. '-0', 'type', ARGV[index], 'json', ARGV[index + 1])
  entries[#entries + 1] = { seq = seq, type = ARGV[index], json = ARGV[index + 1] }
end
redis.call('HSET', row, unpack(ARGV, 5, first - 1))
-- Whether it waits for a place is in no event.
if not started_at and redis.call('HGET', row, 'status') == 'running' then
  redis.call('HSET', row, 'status', 'queued')
end
redis.call('PUBLISH', ARGV[1], cjson.encode({ origin = ARGV[2], entries = entries }))
return 'appended'
