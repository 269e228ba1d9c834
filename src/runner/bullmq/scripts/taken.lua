-- Notes that a job has a place.
-- KEYS: 1 turn: the turn that a place was given to last, 2 turns: a hash of the turn that each tenant was given last,
--       3 the job, 4 the note that its conversation was woken
-- ARGV: the job's turn, 0 where it had one before
local turn, turns, job, note = unpack(KEYS)
local taken = tonumber(ARGV[1])
-- Before the log is read, so that what is noted from now on is behind it.
redis.call('DEL', note)
if taken == 0 then return end
if taken > tonumber(redis.call('GET', turn) or 1) then redis.call('SET', turn, taken) end
-- Where it is handed back it has had its turn, and goes before all that wait.
if redis.call('EXISTS', job) == 1 then redis.call('HSET', job, 'priority', 0) end
-- Who was given a turn that is over is as who was given none.
if taken % 256 == 0 and redis.call('HLEN', turns) > 1000 then
  local all = redis.call('HGETALL', turns)
  for at = 1, #all, 2 do
    if tonumber(all[at + 1]) < taken then redis.call('HDEL', turns, all[at]) end
  end
end
