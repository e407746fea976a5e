-- Gives an event that was set aside back to its tree, behind what waits there. ARGV: prefix, id, now. Returns the tree, and 1 when its
-- list was empty; 0 when there is no such event, or nothing that can be read.
local prefix, now = ARGV[1], ARGV[3]
local aside = redis.call('HGET', prefix .. 'dead', ARGV[2])
if not aside then return 0 end
local is_read, said = pcall(cjson.decode, aside)
if not is_read or type(said) ~= 'table' or type(said[1]) ~= 'string' or type(said[3]) ~= 'string' then return 0 end
local tree, _, body = unpack(said)
redis.call('HDEL', prefix .. 'dead', ARGV[2])
redis.call('HINCRBY', prefix .. 'meta', 'events', 1)
local id = redis.call('HINCRBY', prefix .. 'meta', 'id', 1)
local length = redis.call('RPUSH', prefix .. 'list:' .. tree, string.format('%.0f', id) .. ' ' .. now .. ' ' .. body)
if length == 1 then
  local time = redis.call('TIME')
  redis.call('ZADD', prefix .. 'waiting', now, tree)
  redis.call('ZADD', prefix .. 'due', time[1] * 1000 + math.floor(time[2] / 1000), tree)
end
return { tree, length }
