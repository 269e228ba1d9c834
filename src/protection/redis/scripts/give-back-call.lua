-- Puts back into the token buckets of a model what reserve-call.lua took for a call that isn't made.
-- KEYS the buckets
-- ARGV what reserve-call.lua gave for this
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
for index, bucket in ipairs(KEYS) do
  local taken, again_at = tonumber(ARGV[index * 2 - 1]), tonumber(ARGV[index * 2])
  -- What has flowed in again isn't given twice.
  local full_at = now < again_at and redis.call('GET', bucket)
  if full_at then
    local left = tonumber(full_at) - taken - now
    if left > 0 then
      redis.call('SET', bucket, string.format('%.17g', now + left), 'PX', math.ceil(left))
    else
      redis.call('DEL', bucket)
    end
  end
end
