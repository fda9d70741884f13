-- Takes a node off the roster: it has given everything back, or somebody declares that it will never return. What it
-- claims of the counters stays claimed; it is no longer waited for when a server has to be attested.
--
-- KEYS[1]  the fence's hash, lensai:{fence}
-- ARGV     1 node   2 epoch of the node, or 0 where it is written off by somebody else
-- Units    none
-- Fields   those of beat.lua, which go, and left:<node>: the epoch that may not come back; a later one may
-- Returns  1 if it was on the roster, else 0; 0 too where it has been started again since
-- Example  roster {a, b}: leave b 0 returns 1, the roster is {a}; leave b 0 again returns 0.

local node, epoch = ARGV[1], tonumber(ARGV[2])
assert(#KEYS == 1 and #ARGV == 2 and node ~= '' and epoch >= 0)

local known_epoch = tonumber(redis.call('HGET', KEYS[1], 'epoch:' .. node) or '-1')
if known_epoch < 0 or (epoch > 0 and known_epoch > epoch) then
  return 0
end
for _, field in ipairs({ 'epoch:', 'nonce:', 'beat:', 'attests:', 'joined:', 'knows:' }) do
  redis.call('HDEL', KEYS[1], field .. node)
end
redis.call('HINCRBY', KEYS[1], 'roster', 1)
-- A beat of this start that is still on its way must not put it back.
redis.call('HSET', KEYS[1], 'left:' .. node, string.format('%.0f', known_epoch))
return 1
