-- Removes events that are done, and takes what is next. ARGV[3] = for how many trees there is room, ARGV[4] = how many events of one are
-- wanted at most, ARGV[5] = the token for trees that are taken now; then a tree, its token and how many of its first events are done, for
-- each. A tree that has more events is gone on with where there is room, else given up. Returns the trees whose token is another's (with
-- them nothing is done), the trees to work on as { tree, token, events }, another one that may be taken as well ('': none), and in how many
-- milliseconds one may (-1: none waits).
local room, most, mine = tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5]
local lost, taken = {}, {}

local function work_on(tree, token, events)
  room = room - 1
  taken[#taken + 1] = { tree, token, events }
end

for i = 6, #ARGV, 3 do
  local tree, token = ARGV[i], ARGV[i + 1]
  if is_held(tree, token) then
    remove(tree, tonumber(ARGV[i + 2]))
    local events = first(tree, most)
    if #events > 0 and room > 0 then
      renew(tree)
      work_on(tree, token, events)
    elseif #events > 0 then
      give_up(tree, 0)
    end
  else
    lost[#lost + 1] = tree
  end
end

local ready = redis.call('ZRANGEBYSCORE', due, '-inf', now, 'LIMIT', 0, room + 1)
if #ready <= room then
  for _, tree in ipairs(redis.call('ZRANGEBYSCORE', due, beyond, '+inf', 'LIMIT', 0, room + 1 - #ready)) do
    ready[#ready + 1] = tree
  end
end
local other = ''
for _, tree in ipairs(ready) do
  if room == 0 then
    other = tree
    break
  end
  if redis.call('SET', token_of(tree), mine, 'PX', hold_ms, 'NX') then
    due_in(hold_ms, tree)
    local events = first(tree, most)
    if #events > 0 then work_on(tree, mine, events) end
  else
    -- A token, too, is over by the clock. Whoever lives renews it before.
    if redis.call('PTTL', token_of(tree)) > longest then redis.call('PEXPIRE', token_of(tree), hold_ms) end
    due_in(math.max(1, redis.call('PTTL', token_of(tree))), tree)
  end
end

local next = redis.call('ZRANGE', due, 0, 0, 'WITHSCORES')[2]
return { lost, taken, other, next and math.min(longest, math.max(0, next - now)) or -1 }
