-- Takes the probe of an open circuit, for one instance.
-- KEYS open, probe
-- ARGV origin, the claim's and the open key's milliseconds: how long the one holds, and the other stands for longer
--      than the circuit is open
-- gives 'granted'; 'closed' where it is not open any more; 'open' and the milliseconds until a probe is due, where a probe has failed meanwhile; or 'held' and
--       the milliseconds until the claim of another one ends
local open, probe = KEYS[1], KEYS[2]
-- How long it is open, and since when.
local opened = redis.call('GET', open)
if not opened then return { 'closed', 0 } end
local left = redis.call('PTTL', open) - tonumber(ARGV[3])
-- The instances' timers are not Redis's, but never half a window apart.
if left * 2 > tonumber(string.match(opened, '^%S+')) then return { 'open', left } end
if redis.call('SET', probe, ARGV[1], 'NX', 'PX', ARGV[2]) then return { 'granted', 0 } end
return { 'held', redis.call('PTTL', probe) }
