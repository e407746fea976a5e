-- What the scripts share that workers run on the trees' lists. ARGV[1] = prefix, ARGV[2] = how long a token holds from now on, in
-- milliseconds. `due` has when each tree with a list may be looked at: once it is taken, when its token is over.
local prefix, hold_ms = ARGV[1], tonumber(ARGV[2])
local waiting, due = prefix .. 'waiting', prefix .. 'due'

local function list_of(tree) return prefix .. 'list:' .. tree end
local function token_of(tree) return prefix .. 'token:' .. tree end
local function is_held(tree, token) return redis.call('GET', token_of(tree)) == token end

-- Redis' own time, in milliseconds: the workers' clocks differ.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function due_in(ms, tree) redis.call('ZADD', due, 'XX', now + ms, tree) end

local function renew(tree)
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
