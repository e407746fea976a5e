-- What the scripts share that workers run on the trees' lists, behind clock.lua. ARGV[2] = how long a token holds from now on, in
-- milliseconds. `due` has when each tree with a list may be looked at: once it is taken, when its token is over.
local hold_ms = tonumber(ARGV[2])

local function list_of(tree) return prefix .. 'list:' .. tree end
local function token_of(tree) return prefix .. 'token:' .. tree end
local function is_held(tree, token) return redis.call('GET', token_of(tree)) == token end

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

local function remove(tree, count)
  if count == 0 then return end
  redis.call('LTRIM', list_of(tree), count, -1)
  redis.call('HINCRBY', prefix .. 'meta', 'events', -count)
  redis.call('HDEL', prefix .. 'trouble', tree)
end

-- How many events may be set aside in a queue: some megabytes. With more than that their trees wait, for nothing is lost.
local most_dead = 10000
local full_pause = 60000

-- Sets the first event of the tree aside, where there is room.
local function set_aside(tree, id, at, body, since, attempts, reason)
  if redis.call('HLEN', prefix .. 'dead') >= most_dead then return false end
  redis.call('HSET', prefix .. 'dead', id, cjson.encode({ tree, at, body, since, tostring(attempts), reason }))
  remove(tree, 1)
  return true
end

-- id, at, body; nothing when it is no event, which nobody here has written.
local function parts_of(event) return string.match(event, '^(%d+) (%d+) (.*)$') end

local function set_aside_what_is_no_event(tree, text)
  local id, at = redis.call('HINCRBY', prefix .. 'meta', 'id', 1), string.format('%.0f', now)
  return set_aside(tree, string.format('%.0f', id), at, text, at, 0, 'there was no event in the list, but this')
end

-- The first events, one only where the first one failed before; without any, the tree waits no more and the token is given up.
-- What is no event is set aside: the script would end at it, and with it the trees it has taken before.
local function first(tree, most)
  local head = redis.call('LINDEX', list_of(tree), 0)
  while head and not parts_of(head) do
    if not set_aside_what_is_no_event(tree, head) then
      give_up(tree, full_pause)
      return {}
    end
    head = redis.call('LINDEX', list_of(tree), 0)
  end
  if not head then
    redis.call('ZREM', waiting, tree)
    redis.call('ZREM', due, tree)
    redis.call('DEL', token_of(tree))
    -- What somebody has put into the lists or taken from them by hand was not counted.
    if redis.call('ZCARD', waiting) == 0 then redis.call('HSET', prefix .. 'meta', 'events', 0) end
    return {}
  end
  local _, at = parts_of(head)
  redis.call('ZADD', waiting, at, tree)
  local alone = redis.call('HEXISTS', prefix .. 'trouble', tree) == 1
  local events = {}
  for i, event in ipairs(redis.call('LRANGE', list_of(tree), 0, alone and 0 or most - 1)) do
    if not parts_of(event) then break end
    events[i] = event
  end
  return events
end
