-- One node states how it stands with one counter, and may ask for more. Statements are absolute and numbered, so
-- that one which arrives twice, late, or after the store has lost writes changes nothing or restores the truth.
--
-- KEYS[1]  the counter's hash, lensai:{<counter>}
-- ARGV     1 node           2 epoch: grows with every start of the node
--          3 seq: grows with every statement of that node about that counter, from 1
--          4 run: the server's run_id that all nodes have attested; empty or another: nothing is granted
--          5 spent: settled by the node since the counter began   6 claim: what it may spend of it, spent included
--          7 keep: 1 counts the claim of an earlier epoch as spent, for nobody can say what became of it
--          8 gives: 1 says that the claim holds nothing that could be given back
--          9 need: asked beyond the claim, that or nothing        10 want: as much as is there, at least need
--         11 more: 1 asks for a slice without needing it          12 limit; empty: none, and nothing is granted
--         13 live: nodes that work now                            14 since: version of the asker's first refusal
--         15 marks: percent:amount,…                              16 heard: marks this node has passed on, percent,…
--         17 keep_ms: how long to remember a counter that the node lets go of; 0: it does not, or that for ever
--         18 back: given back by the node of what had been settled, contained in 5 and 6: these only grow
-- Units    amounts in the counter's unit (nano-USD, tokens, calls), at most 2^53: Lua's numbers are doubles
-- Fields   version, demand (until when slices are recalled, ms), mark:<percent> (who has to pass it on, - nobody),
--          epoch:<node> seq:<node> spent:<node> claim:<node> back:<node> gave:<node> (version)
-- Returns  {status, version, run_id, spent, claim, all spent, all claims, recalled 0|1, {marks}, {pending nodes}, seq,
--          back}; of all, what was given back is taken off
--          status: ok; old: an earlier statement, nothing was changed; fenced: the node has been started since
-- Example  limit 100; b's claim is 40, of which 10 are spent. a states spent 0, claim 0, asks need 50, live 2:
--          free = 100 - 40 = 60 >= 50, so a's claim becomes 50: {ok, 2, …, 0, 50, 10, 90, 0, {}, {b}, 1, 0}.
--          Had a asked for 70: {ok, 2, …, 0, 0, 10, 40, 1, {}, {b}, 1, 0}, and b is asked to give back its 30.

local EXACT_MAX = 2 ^ 53
-- A slice is this part of a live node's even share of what is free: it shrinks as the remainder does.
local SLICES = 4
-- Where there is as good as no limit a slice is so many times what is wanted: after a power cut it counts as spent.
local UNLIMITED_SLICE = 16
-- How long others get the exact need only after somebody got nothing: ten polls of their agents.
local DEMAND_MS = 1000

local node, epoch, seq, run = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
local spent, claim = tonumber(ARGV[5]), tonumber(ARGV[6])
local keep, gives, more = ARGV[7] == '1', ARGV[8] == '1', ARGV[11] == '1'
local need, want, limit = tonumber(ARGV[9]), tonumber(ARGV[10]), tonumber(ARGV[12])
local live, since, keep_ms = tonumber(ARGV[13]), tonumber(ARGV[14]), tonumber(ARGV[17])
local back = tonumber(ARGV[18])

assert(#KEYS == 1 and #ARGV == 18 and node ~= '')
assert(epoch >= 1 and seq >= 1 and live >= 1 and since >= 0 and keep_ms >= 0)
for _, amount in ipairs({ spent, claim, back, need, want, limit or 0 }) do
  assert(amount >= 0 and amount <= EXACT_MAX)
end
assert(claim >= spent and want >= need)

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

local function sums()
  local all = { ['spent:'] = 0, ['claim:'] = 0 }
  local all_back = 0
  for field, value in pairs(stored) do
    local kind = string.match(field, '^%a+:')
    if all[kind] then
      all[kind] = all[kind] + tonumber(value)
    elseif kind == 'back:' then
      all_back = all_back + tonumber(value)
    end
  end
  local function net(sum)
    return math.max(math.min(sum, EXACT_MAX) - all_back, 0)
  end
  return net(all['spent:']), net(all['claim:'])
end

-- Who could give something back and has not been heard of since.
local function pending()
  local nodes = {}
  for field, value in pairs(stored) do
    if string.sub(field, 1, 6) == 'claim:' then
      local other = string.sub(field, 7)
      if other ~= node and tonumber(value) > number('spent:' .. other) and number('gave:' .. other) < since then
        nodes[#nodes + 1] = other
      end
    end
  end
  table.sort(nodes)
  return nodes
end

local function answer(status, marks)
  local all_spent, all_claims = sums()
  local recalled = number('demand') > now_ms and 1 or 0
  return {
    status, number('version'), server_run, number('spent:' .. node), number('claim:' .. node),
    all_spent, all_claims, recalled, marks, pending(), number('seq:' .. node), number('back:' .. node),
  }
end

if known_epoch > epoch then
  return answer('fenced', {})
end
if known_epoch == epoch and number('seq:' .. node) >= seq then
  return answer('old', {})
end
-- A node that has nothing to do with a counter leaves no trace in it.
if known_epoch == 0 and claim == 0 and back == 0 and need == 0 and want == 0 and not more then
  return answer('ok', {})
end

-- Who does not know all that it has given back says too little of what it has claimed, too.
local unknown = math.max(number('back:' .. node) - back, 0)
back, claim = back + unknown, math.min(claim + unknown, EXACT_MAX)
if keep and known_epoch < epoch then
  spent = math.max(spent, number('claim:' .. node))
end
spent = math.max(spent, number('spent:' .. node))
claim = math.max(claim, spent)
local version = number('version') + 1
set('version', text(version))
set('epoch:' .. node, text(epoch))
set('seq:' .. node, text(seq))
set('spent:' .. node, text(spent))
set('claim:' .. node, text(claim))
if back > 0 then
  set('back:' .. node, text(back))
end
if gives then
  set('gave:' .. node, text(version))
end

if run == server_run and limit and (want > 0 or more) then
  local _, all_claims = sums()
  local free = math.max(limit - all_claims, 0)
  local recalled = number('demand') > now_ms
  if need > free then
    set('demand', text(now_ms + DEMAND_MS))
  elseif not (recalled and need == 0) then
    local slice = recalled and need or math.max(want, math.floor(free / (SLICES * live)))
    if limit == EXACT_MAX then
      slice = math.min(slice, want * UNLIMITED_SLICE)
    end
    local granted = math.min(free, slice, EXACT_MAX - claim)
    claim = claim + granted
    set('claim:' .. node, text(claim))
    if granted > 0 then
      set('gave:' .. node, '0') -- a slice may be more than the need
    end
  end
end

local all_spent = sums()
for percent in string.gmatch(ARGV[16], '%d+') do
  if stored['mark:' .. percent] == node then
    set('mark:' .. percent, '-')
  end
end
local marks = {}
for percent, amount in string.gmatch(ARGV[15], '(%d+):(%d+)') do
  local field = 'mark:' .. percent
  if not stored[field] and all_spent >= tonumber(amount) then
    set(field, node)
  end
  if stored[field] == node then
    marks[#marks + 1] = tonumber(percent)
  end
end

if keep_ms > 0 then
  redis.call('PEXPIRE', KEYS[1], keep_ms)
else
  redis.call('PERSIST', KEYS[1])
end
return answer('ok', marks)
