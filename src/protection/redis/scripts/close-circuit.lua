-- Forgets that a circuit is open, unless it was opened since.
-- KEYS open
-- ARGV when the closing was decided, in milliseconds since 1970
-- gives 1, or 0 where nothing is forgotten
local open = redis.call('GET', KEYS[1])
if not open or tonumber(string.match(open, '%S+$')) >= tonumber(ARGV[1]) then return 0 end
return redis.call('DEL', KEYS[1])
