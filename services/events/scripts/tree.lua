-- What the scripts share that a worker runs on one tree's list. ARGV[1] = prefix, ARGV[2] = tree, ARGV[3] = the worker's token,
-- ARGV[4] = how long the token holds from now on, in milliseconds.
local prefix, tree, mine, hold_ms = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local list, token = prefix .. 'list:' .. tree, prefix .. 'token:' .. tree

local function is_mine() return redis.call('GET', token) == mine end
local function give_up() if is_mine() then redis.call('DEL', token) end end

-- The first events, one only where the first one failed before; without any, the tree waits no more and the token is given up.
local function first(most)
  local events = redis.call('LRANGE', list, 0, redis.call('HEXISTS', prefix .. 'trouble', tree) == 1 and 0 or most - 1)
  if #events == 0 then
    redis.call('ZREM', prefix .. 'waiting', tree)
    give_up()
  else
    redis.call('ZADD', prefix .. 'waiting', string.match(events[1], '^%d+ (%d+) '), tree)
  end
  return events
end

local function remove(count)
  if count == 0 then return end
  redis.call('LTRIM', list, count, -1)
  redis.call('HINCRBY', prefix .. 'meta', 'events', -count)
  redis.call('HDEL', prefix .. 'trouble', tree)
end
