-- What the scripts share that workers run on the trees' lists. ARGV[1] = prefix, ARGV[2] = the worker's token, ARGV[3] = how long a
-- token holds from now on, in milliseconds. `due` has when each tree with a list may be looked at: under a token when that is over.
local prefix, mine, hold_ms = ARGV[1], ARGV[2], tonumber(ARGV[3])
local waiting, due = prefix .. 'waiting', prefix .. 'due'

local function list_of(tree) return prefix .. 'list:' .. tree end
local function token_of(tree) return prefix .. 'token:' .. tree end
local function is_mine(tree) return redis.call('GET', token_of(tree)) == mine end

-- Redis' own time, in milliseconds: the workers' clocks differ.
local function clock()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function due_in(ms, tree) redis.call('ZADD', due, 'XX', clock() + ms, tree) end

local function hold(tree)
  redis.call('PEXPIRE', token_of(tree), hold_ms)
  due_in(hold_ms, tree)
end

-- Gives the tree up, to whoever looks for one in so many milliseconds.
local function give_up(tree, ms)
  redis.call('DEL', token_of(tree))
  due_in(ms, tree)
end

-- The first events, one only where the first one failed before; without any, the tree waits no more and the token is given up.
local function first(tree, most)
  local alone = redis.call('HEXISTS', prefix .. 'trouble', tree) == 1
  local events = redis.call('LRANGE', list_of(tree), 0, alone and 0 or most - 1)
  if #events == 0 then
    redis.call('ZREM', waiting, tree)
    redis.call('ZREM', due, tree)
    redis.call('DEL', token_of(tree))
  else
    redis.call('ZADD', waiting, string.match(events[1], '^%d+ (%d+) '), tree)
  end
  return events
end

local function remove(tree, count)
  if count == 0 then return end
  redis.call('LTRIM', list_of(tree), count, -1)
  redis.call('HINCRBY', prefix .. 'meta', 'events', -count)
  redis.call('HDEL', prefix .. 'trouble', tree)
end

-- In how many milliseconds a tree may be looked at; -1 when none waits.
local function next_due()
  local next = redis.call('ZRANGE', due, 0, 0, 'WITHSCORES')[2]
  return next and math.max(0, next - clock()) or -1
end

-- Takes the tree that may be looked at for the longest: the tree, another one that may be taken as well ('': none), the first events.
-- Where there is none, in how many milliseconds there is.
local function take(token, most)
  while true do
    local tree, other = unpack(redis.call('ZRANGEBYSCORE', due, '-inf', clock(), 'LIMIT', 0, 2))
    if not tree then return next_due() end
    if redis.call('SET', token_of(tree), token, 'PX', hold_ms, 'NX') then
      due_in(hold_ms, tree)
      local events = first(tree, most)
      if #events > 0 then return { tree, other or '', events } end
    else
      due_in(math.max(1, redis.call('PTTL', token_of(tree))), tree)
    end
  end
end
