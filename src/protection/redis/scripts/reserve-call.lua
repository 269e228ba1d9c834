-- Sets a call aside in the token buckets of a model, for as soon as each of them has room, behind all set aside before.
-- KEYS the buckets: each says when it will be full, in milliseconds since 1970 by the server's clock, and is not there
--      when it is
-- ARGV for each bucket the time in which as much flows in as the call takes, in milliseconds, at most a minute: that is
--      what a bucket holds
-- gives the milliseconds until the call may begin, and for give-back-call.lua of each bucket what the call took, and
--       when that will have flowed in again
local MINUTE = 60000
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local wait = 0
local receipt = {}
for index, bucket in ipairs(KEYS) do
  local full_at = tonumber(redis.call('GET', bucket) or now) + tonumber(ARGV[index])
  wait = math.max(wait, full_at - now - MINUTE)
  -- 17 digits bring every double back as it was.
  local text = string.format('%.17g', full_at)
  if full_at > now then redis.call('SET', bucket, text, 'PX', math.ceil(full_at - now)) end
  receipt[#receipt + 1] = ARGV[index]
  receipt[#receipt + 1] = text
end
return { math.ceil(wait), receipt }
