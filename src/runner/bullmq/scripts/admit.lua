-- Lets conversations of one key in, as far as its limit goes, and says whose turn each is.
-- KEYS: 1 held: the key's conversations that are in, a sorted set of ids by when they came in, in milliseconds
--       2 gated: those of the key that wait for one of its own to end, a sorted set of ids by their coming
--       3 tenants: a hash of the tenants of all that are gated, by id
--       4 keys: a set of the keys that have gated ones
--       5 turns: a hash of the turn that each tenant was given last
--       6 turn: the turn that a place was given to last
--       7 arrivals: a counter
--       8 the queue's prioritized jobs
-- ARGV: 1 what a job's key begins with, 2 the key or '', 3 its limit or -1, 4 the id that comes in or '', 5 its
--       tenant, 6 the id that has ended or '', 7 after how many milliseconds one that is in must have a job, or -1
-- Gives for each that comes in: id, tenant, turn. They are in from now on, and are to be given their jobs.
local held, gated, tenants, keys, turns, turn, arrivals, prioritized = unpack(KEYS)
local job, key, limit, coming, tenant, ended, patience = unpack(ARGV)
limit, patience = tonumber(limit), tonumber(patience)
-- Priorities of jobs end at 2^21 - 1.
local LAST_TURN, REWOUND_AT, MOST_AT_ONCE = 2097151, 1000000, 1000
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function has_job(id)
  return redis.call('EXISTS', job .. id) == 1
end

-- Turns are counted up, by one for each that a tenant has waiting; who has none waiting comes in at the turn of now.
local current = tonumber(redis.call('GET', turn) or 1)
if current > REWOUND_AT and redis.call('ZCARD', prioritized) == 0 then
  redis.call('DEL', turns, turn)
  current = 1
end
local admitted = {}
local function admit(id, whose)
  local last = tonumber(redis.call('HGET', turns, whose) or 0)
  local own = math.min(math.max(current, last + 1), LAST_TURN)
  redis.call('HSET', turns, whose, own)
  if key ~= '' then redis.call('ZADD', held, now, id) end
  admitted[#admitted + 1] = id
  admitted[#admitted + 1] = whose
  admitted[#admitted + 1] = own
end

if key == '' then
  if coming ~= '' and not has_job(coming) then admit(coming, tenant) end
  return admitted
end
if ended ~= '' and not has_job(ended) then redis.call('ZREM', held, ended) end
if patience >= 0 then
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', held, '-inf', now - patience)) do
    if not has_job(id) then redis.call('ZREM', held, id) end
  end
end
if coming ~= '' and not has_job(coming) then
  if redis.call('ZSCORE', held, coming) then
    admit(coming, tenant)
  elseif not redis.call('ZSCORE', gated, coming) then
    redis.call('ZADD', gated, redis.call('INCR', arrivals), coming)
    redis.call('HSET', tenants, coming, tenant)
    redis.call('SADD', keys, key)
  end
end
local room = MOST_AT_ONCE
if limit >= 0 then room = math.min(room, limit - redis.call('ZCARD', held)) end
if room > 0 then
  for _, id in ipairs(redis.call('ZRANGE', gated, 0, room - 1)) do
    local whose = redis.call('HGET', tenants, id) or tenant
    redis.call('ZREM', gated, id)
    redis.call('HDEL', tenants, id)
    if not has_job(id) then admit(id, whose) end
  end
end
if redis.call('ZCARD', gated) == 0 then redis.call('SREM', keys, key) end
return admitted
