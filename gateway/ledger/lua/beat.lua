-- One node says that it is there, which server it has told all its claims to, and which counters it lacks; it hears
-- whether slices may be granted, who works, and what others lack.
--
-- KEYS[1]  the fence's hash, lensai:{fence}
-- ARGV     1 node           2 epoch: grows with every start of the node
--          3 nonce: random for each start, so that two processes with one identity are told apart
--          4 run: the server's run_id the node believes in        5 fence: the highest it has seen
--          6 attests: the fence under which it has stated all its claims; 0: none yet
--          7 knows: version of the roster it remembers            8 nodes: how many there must be at least
--          9 roster: names it remembers, separated by newlines   10 lacks: counters, separated by newlines
-- Units    times in ms of the server's clock
-- Fields   run, fence, roster (its version), and of each node: epoch: nonce: beat: attests: joined: knows:<node>;
--          lacks:<counter>: until when; left:<node>: the epoch of a node that went, see leave.lua
-- Returns  {status, run_id, fence, open 0|1, roster version, {roster}, {live nodes}, {counters lacked}}
--          status: ok; fenced: another process has this identity, or this one has left
-- Example  a and b attested fence 3 on server r1, which is replaced by r2. a beats with run r1, fence 3: the hash that
--          r2 has says r1, so the fence becomes 4 and nothing is granted: {ok, r2, 4, 0, 2, {a, b}, {a, b}, {}}.
--          Once a and b have beaten with attests 4: {ok, r2, 4, 1, 2, {a, b}, {a, b}, {}}.

-- A node not heard of for so long does not work: fifty polls of its agent.
local DEAD_MS = 5000
-- How long a counter stays on the list after the last node that lacks it said so.
local LACKS_MS = 1000

local node, epoch, nonce, run = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4]
local fence, attests = tonumber(ARGV[5]), tonumber(ARGV[6])
local knows, nodes_min = tonumber(ARGV[7]), tonumber(ARGV[8])

assert(#KEYS == 1 and #ARGV == 10 and node ~= '' and nonce ~= '')
assert(epoch >= 1 and fence >= 0 and attests >= 0 and attests <= fence and knows >= 0 and nodes_min >= 1)
assert(fence < 2 ^ 53 and epoch < 2 ^ 53)

local function text(number)
  return string.format('%.0f', number)
end

local fields = redis.call('HGETALL', KEYS[1])
local stored = {}
for i = 1, #fields, 2 do
  stored[fields[i]] = fields[i + 1]
end
local function number(field)
  return tonumber(stored[field] or '0')
end
local function set(field, value)
  stored[field] = value
  redis.call('HSET', KEYS[1], field, value)
end

local clock = redis.call('TIME')
local now_ms = tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000)
local server_run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')

local known_epoch = number('epoch:' .. node)
local left = stored['left:' .. node] ~= nil and number('left:' .. node) >= epoch
if left or known_epoch > epoch or (known_epoch == epoch and stored['nonce:' .. node] ~= nonce) then
  return { 'fenced', server_run, number('fence'), 0, number('roster'), {}, {}, {} }
end

-- A server that was not attested yet, or one that the node has left for a later one: everybody has to state anew.
if stored['run'] ~= server_run then
  set('run', server_run)
  set('fence', text(number('fence') + 1))
end
if fence > number('fence') or (fence == number('fence') and run ~= server_run) then
  set('fence', text(fence + 1))
end

local function enlist(name)
  if stored['epoch:' .. name] == nil and (name == node or stored['left:' .. name] == nil) then
    set('roster', text(number('roster') + 1))
    set('joined:' .. name, stored['roster'])
    set('epoch:' .. name, '0')
  end
end
-- A node without a memory has nothing to state.
local newcomer = stored['epoch:' .. node] == nil and fence == 0
enlist(node)
if newcomer then
  attests = number('fence')
end
for name in string.gmatch(ARGV[9], '[^\n]+') do
  enlist(name)
end
if stored['left:' .. node] then
  stored['left:' .. node] = nil
  redis.call('HDEL', KEYS[1], 'left:' .. node)
end
set('epoch:' .. node, text(epoch))
set('nonce:' .. node, nonce)
set('beat:' .. node, text(now_ms))
-- What was attested stays so when the node is started again: the claims it stated are still here.
set('attests:' .. node, text(math.max(attests, number('attests:' .. node))))
-- Versions of a roster count under one fence only; an earlier server may have counted otherwise.
local remembers = run == server_run and fence == number('fence')
set('knows:' .. node, text(remembers and knows or 0))
for counter in string.gmatch(ARGV[10], '[^\n]+') do
  set('lacks:' .. counter, text(now_ms + LACKS_MS))
end

local roster, live, lacked, attested = {}, {}, {}, 0
local open = true
for field, value in pairs(stored) do
  if string.sub(field, 1, 6) == 'epoch:' then
    local name = string.sub(field, 7)
    roster[#roster + 1] = name
    if number('attests:' .. name) == number('fence') then
      attested = attested + 1
    else
      open = false
    end
    if math.abs(now_ms - number('beat:' .. name)) <= DEAD_MS then
      live[#live + 1] = name
      -- Who works must remember this node, or a store that forgets it would be opened without it.
      open = open and number('knows:' .. name) >= number('joined:' .. node)
    end
  elseif string.sub(field, 1, 6) == 'lacks:' then
    if tonumber(value) > now_ms then
      lacked[#lacked + 1] = string.sub(field, 7)
    else
      redis.call('HDEL', KEYS[1], field)
    end
  end
end
table.sort(roster)
table.sort(live)
table.sort(lacked)
local opened = (open and attested >= nodes_min) and 1 or 0
return { 'ok', server_run, number('fence'), opened, number('roster'), roster, live, lacked }
