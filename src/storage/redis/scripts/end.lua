-- Ends a conversation wherever its log stands.
-- KEYS row, log
-- ARGV channel, origin, endedAt, ending as JSON, event type, the event's JSON behind its seq
-- gives the seq of the end, 'not_found' or 'terminated'
local row, log = KEYS[1], KEYS[2]
local status, last_seq = unpack(redis.call('HMGET', row, 'status', 'last_seq'))
if not status then return 'not_found' end
if status == 'terminated' then return 'terminated' end

local seq = tonumber(last_seq) + 1
local json = '{"seq":' .. seq .. ARGV[6]
redis.call('XADD', log, seq .. '-0', 'type', ARGV[5], 'json', json)
redis.call('HSET', row, 'status', 'terminated', 'last_seq', seq, 'ended_at', ARGV[3], 'ending', ARGV[4])
redis.call('PUBLISH', ARGV[1],
  cjson.encode({ origin = ARGV[2], entries = { { seq = seq, type = ARGV[5], json = json } } }))
return seq
