-- Makes a conversation: its log with the opening events, and its row. Once, whoever comes first.
-- KEYS row, log, tombstone
-- ARGV channel, origin, its entry in the indexes, startedAt ('' while it waits for a place), sender,
--      the name of its claim ('' without an idempotency key), then type and JSON of each opening event
-- gives 'created', 'exists' or 'removed' (it was there, and must not come back)
local row, log, tombstone = KEYS[1], KEYS[2], KEYS[3]
if redis.call('EXISTS', tombstone) == 1 then return 'removed' end
if redis.call('EXISTS', row) == 1 then return 'exists' end

local entries = {}
for index = 7, #ARGV, 2 do
  local seq = #entries + 1
  redis.call('XADD', log, seq .. '-0', 'type', ARGV[index], 'json', ARGV[index + 1])
  entries[seq] = { seq = seq, type = ARGV[index], json = ARGV[index + 1] }
end
redis.call('HSET', row, 'status', ARGV[4] == '' and 'queued' or 'running', 'entry', ARGV[3],
  'last_seq', #entries, 'last_sender', ARGV[5], 'turns', 0,
  'input_tokens', 0, 'output_tokens', 0, 'cost_usd', 0)
if ARGV[4] ~= '' then redis.call('HSET', row, 'started_at', ARGV[4]) end
if ARGV[6] ~= '' then redis.call('HSET', row, 'claim', ARGV[6]) end
redis.call('PUBLISH', ARGV[1], cjson.encode({ origin = ARGV[2], entries = entries }))
return 'created'
