-- Appends events to the lists of their trees, all or none. ARGV: prefix, now, the token of the lease ('' asks for none), how long it
-- holds from now on in milliseconds, the position that must be there ('' = any), the new one ('' leaves it), then a tree and a body
-- for each event. Returns the trees whose list was empty (they may be looked at from now on), or 0 when lease or position are not as expected, and then nothing is done.
local prefix, now, lease, lease_ms, before, position = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
if lease ~= '' then
  if redis.call('GET', prefix .. 'lease') ~= lease then return 0 end
  if before ~= '' and redis.call('GET', prefix .. 'position') ~= before then return 0 end
  redis.call('PEXPIRE', prefix .. 'lease', lease_ms)
  if position ~= '' then redis.call('SET', prefix .. 'position', position) end
end
local count = (#ARGV - 6) / 2
local id = redis.call('HINCRBY', prefix .. 'meta', 'id', count) - count
redis.call('HINCRBY', prefix .. 'meta', 'events', count)
local begun = {}
local time = redis.call('TIME')
local due = time[1] * 1000 + math.floor(time[2] / 1000)
for i = 7, #ARGV, 2 do
  id = id + 1
  local event = string.format('%.0f', id) .. ' ' .. now .. ' ' .. ARGV[i + 1]
  if redis.call('RPUSH', prefix .. 'list:' .. ARGV[i], event) == 1 then
    redis.call('ZADD', prefix .. 'waiting', now, ARGV[i])
    redis.call('ZADD', prefix .. 'due', due, ARGV[i])
    begun[#begun + 1] = ARGV[i]
  end
end
return begun
