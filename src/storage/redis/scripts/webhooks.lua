-- All that changes webhooks and their places, each verb as one.
-- KEYS what all keys begin with: :all and :tenant:T have the webhooks, :feed says how far it was read and in whose hand,
--      :places:ID has the places of a webhook by conversation as [position, grown, tries, hand], where tries of -1 say that
--      the conversation has ended and all of it was told, :due:ID when each is due,
--      :deliveries:ID and :order:ID its last deliveries, :replays what is to be told again
-- ARGV the verb, then what stands at its head
local base = KEYS[1]

local function place_of(id, conversation)
  local json = redis.call('HGET', base .. ':places:' .. id, conversation)
  return json and cjson.decode(json)
end

-- due: a number, 'never', or nil to leave it as it is
local function put_place(id, conversation, place, due)
  redis.call('HSET', base .. ':places:' .. id, conversation, cjson.encode(place))
  if due == 'never' then redis.call('ZREM', base .. ':due:' .. id, conversation)
  elseif due then redis.call('ZADD', base .. ':due:' .. id, due, conversation) end
end

local function is_due(id, conversation)
  return redis.call('ZSCORE', base .. ':due:' .. id, conversation)
end

local function forget(id, conversation)
  redis.call('HDEL', base .. ':places:' .. id, conversation)
  redis.call('ZREM', base .. ':due:' .. id, conversation)
end

-- Once the feed has told of the end as well, it can't have what was told begin anew.
local function is_over(place)
  return place[3] == -1 and place[2] == place[1]
end

local verbs = {}

-- id, tenant, json, how many a tenant may have; gives 0 where it has them
function verbs.create(id, tenant, json, most)
  if redis.call('SCARD', base .. ':tenant:' .. tenant) >= tonumber(most) then return 0 end
  redis.call('SADD', base .. ':tenant:' .. tenant, id)
  redis.call('HSET', base .. ':all', id, json)
  return 1
end

-- id, json; gives 0 where there is none
function verbs.replace(id, json)
  if redis.call('HEXISTS', base .. ':all', id) == 0 then return 0 end
  redis.call('HSET', base .. ':all', id, json)
  return 1
end

-- id, tenant; gives 0 where there is none
function verbs.delete(id, tenant)
  redis.call('SREM', base .. ':tenant:' .. tenant, id)
  redis.call('HDEL', base .. ':replays', id)
  for _, name in ipairs({ ':places:', ':due:', ':deliveries:', ':order:' }) do
    redis.call('DEL', base .. name .. id)
  end
  return redis.call('HDEL', base .. ':all', id)
end

-- hand, now, until; gives the cursor, '' before the first, 0 where the feed is in another's hand
function verbs.hold(hand, now, lease)
  local key = base .. ':feed'
  local held, ends = unpack(redis.call('HMGET', key, 'hand', 'until'))
  if held and held ~= hand and tonumber(ends) > tonumber(now) then return 0 end
  redis.call('HSET', key, 'hand', hand, 'until', lease)
  return redis.call('HGET', key, 'cursor') or ''
end

-- hand, cursor, JSON of [[webhook, conversation, from, seq], ...], JSON of the conversations that are gone;
-- gives 0 where the feed is in another's hand
function verbs.note(hand, cursor, grown, removed)
  if redis.call('HGET', base .. ':feed', 'hand') ~= hand then return 0 end
  redis.call('HSET', base .. ':feed', 'cursor', cursor)
  for _, each in ipairs(cjson.decode(grown)) do
    local id, conversation, from, seq = unpack(each)
    if redis.call('HEXISTS', base .. ':all', id) == 1 then
      local place = place_of(id, conversation) or { from - 1, seq, 0, '' }
      place[2] = math.max(place[2], seq)
      local wakes = place[2] > place[1] and not is_due(id, conversation)
      if is_over(place) then forget(id, conversation)
      else put_place(id, conversation, place, wakes and 0 or nil) end
    end
  end
  local gone = cjson.decode(removed)
  if #gone == 0 then return 1 end
  for _, id in ipairs(redis.call('HKEYS', base .. ':all')) do
    for _, conversation in ipairs(gone) do forget(id, conversation) end
    for _, json in ipairs(redis.call('HVALS', base .. ':deliveries:' .. id)) do
      local delivery = cjson.decode(json)
      for _, conversation in ipairs(gone) do
        if delivery.conversationId == conversation then
          redis.call('HDEL', base .. ':deliveries:' .. id, delivery.id)
          redis.call('ZREM', base .. ':order:' .. id, delivery.id)
        end
      end
    end
  end
  return 1
end

-- webhook, conversation, position, the last seq, 1 where it is told again
verbs['go-back'] = function(id, conversation, position, seq, again)
  if redis.call('HEXISTS', base .. ':all', id) == 0 then return 0 end
  position = tonumber(position)
  local place = place_of(id, conversation) or { position, 0, 0, '' }
  place[2] = math.max(place[2], tonumber(seq))
  place[3] = math.max(place[3], 0)
  local goes_back = again == '1' and place[1] > position
  if goes_back then place = { position, place[2], 0, '' } end
  put_place(id, conversation, place, (goes_back or not is_due(id, conversation)) and 0 or nil)
  return 1
end

-- hand, now, until, JSON of [[webhook, most], ...]; gives JSON of [[webhook, conversation, position, tries], ...]
function verbs.claim(hand, now, lease, most)
  local claimed = {}
  for _, each in ipairs(cjson.decode(most)) do
    local id, limit = unpack(each)
    local due = redis.call('ZRANGEBYSCORE', base .. ':due:' .. id, '-inf', now, 'LIMIT', 0, limit)
    for _, conversation in ipairs(due) do
      local place = place_of(id, conversation)
      if place then
        place[4] = hand
        put_place(id, conversation, place, lease)
        claimed[#claimed + 1] = { id, conversation, place[1], math.max(place[3], 0) }
      else forget(id, conversation) end
    end
  end
  return #claimed == 0 and '[]' or cjson.encode(claimed)
end

-- webhook, id, JSON, when, how many are kept
function verbs.deliver(id, delivery, json, at, kept)
  if redis.call('HEXISTS', base .. ':all', id) == 0 then return 0 end
  redis.call('HSET', base .. ':deliveries:' .. id, delivery, json)
  redis.call('ZADD', base .. ':order:' .. id, at, delivery)
  local many = redis.call('ZCARD', base .. ':order:' .. id) - tonumber(kept)
  if many <= 0 then return 1 end
  local old = redis.call('ZRANGE', base .. ':order:' .. id, 0, many - 1)
  redis.call('HDEL', base .. ':deliveries:' .. id, unpack(old))
  redis.call('ZREM', base .. ':order:' .. id, unpack(old))
  return 1
end

-- hand, webhook, conversation, what became of it, position, tries, when, and what `deliver` takes behind the webhook where
-- there is a delivery; gives 0 where the place is in another's hand
function verbs.settle(hand, id, conversation, how, position, tries, at, ...)
  if select('#', ...) > 0 then verbs.deliver(id, ...) end
  local place = place_of(id, conversation)
  if not place or place[4] ~= hand then return 0 end
  if how == 'gone' then forget(id, conversation) return 1 end
  place[1] = tonumber(position)
  place[3] = how == 'over' and -1 or tonumber(tries)
  if how ~= 'moved' then place[4] = '' end
  local rests = (how == 'resting' or how == 'over') and place[2] <= place[1]
  if is_over(place) then forget(id, conversation)
  else put_place(id, conversation, place, rests and 'never' or at) end
  return 1
end

-- webhooks ...; gives when the next place of theirs is due, '' where none is
function verbs.next(...)
  local soonest
  for _, id in ipairs({ ... }) do
    local first = redis.call('ZRANGE', base .. ':due:' .. id, 0, 0, 'WITHSCORES')
    local due = first[2] and tonumber(first[2])
    if due and (not soonest or due < soonest) then soonest = due end
  end
  return soonest and string.format('%.0f', soonest) or ''
end

return verbs[ARGV[1]](unpack(ARGV, 2))
