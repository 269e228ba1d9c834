-- Appends a message and, where the conversation ends with it, its end: both or neither.
-- KEYS row, log
-- ARGV channel, origin, expected seq, sender,
--      turn ('' where no agent spoke; the next three count only for an agent), input tokens, output tokens,
--      cost in US dollars ('' where unknown),
--      endedAt and ending as JSON ('' where it goes on), then type and JSON of each event
-- gives 'appended', 'not_found', 'terminated' or 'sequence_conflict'
local row, log = KEYS[1], KEYS[2]
local status, last_seq, cost = unpack(redis.call('HMGET', row, 'status', 'last_seq', 'cost_usd'))
if not status then return 'not_found' end
if status == 'terminated' then return 'terminated' end
if last_seq ~= ARGV[3] then return 'sequence_conflict' end

local entries = {}
local seq = tonumber(last_seq)
for index = 11, #ARGV, 2 do
  seq = seq + 1
  -- The stream takes no number twice, and none below its last.
  redis.call('XADD', log, seq .. '-0', 'type', ARGV[index], 'json', ARGV[index + 1])
  entries[#entries + 1] = { seq = seq, type = ARGV[index], json = ARGV[index + 1] }
end
redis.call('HSET', row, 'last_seq', seq, 'last_sender', ARGV[4])
if ARGV[5] ~= '' then
  redis.call('HSET', row, 'turns', ARGV[5])
  redis.call('HINCRBY', row, 'turns:' .. ARGV[4], 1)
  redis.call('HINCRBY', row, 'input_tokens', ARGV[6])
  redis.call('HINCRBY', row, 'output_tokens', ARGV[7])
  if cost ~= '' then
    -- 17 digits bring every double back as it was.
    local sum = ARGV[8] == '' and '' or string.format('%.17g', tonumber(cost) + tonumber(ARGV[8]))
    redis.call('HSET', row, 'cost_usd', sum)
  end
end
if ARGV[10] ~= '' then
  redis.call('HSET', row, 'status', 'terminated', 'ended_at', ARGV[9], 'ending', ARGV[10])
end
redis.call('PUBLISH', ARGV[1], cjson.encode({ origin = ARGV[2], entries = entries }))
return 'appended'
