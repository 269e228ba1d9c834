-- Writes events as another storage has them behind those that are here, and with the last of them the row.
-- KEYS row, log
-- ARGV the seq of the last event that is here, how many arguments the row has (0 while events are still missing),
--      the row's fields, each with its value, then type and JSON of each event
-- gives 'restored', or 'sequence_conflict' where the log ends elsewhere
local row, log = KEYS[1], KEYS[2]
local last = redis.call('XREVRANGE', log, '+', '-', 'COUNT', 1)[1]
local seq = last and tonumber(string.match(last[1], '^%d+')) or 0
if seq ~= tonumber(ARGV[1]) then return 'sequence_conflict' end

local fields = tonumber(ARGV[2])
for index = 3 + fields, #ARGV, 2 do
  seq = seq + 1
  redis.call('XADD', log, seq .. '-0', 'type', ARGV[index], 'json', ARGV[index + 1])
end
if fields > 0 then redis.call('HSET', row, unpack(ARGV, 3, 2 + fields)) end
return 'restored'
