-- Begins a new epoch in a shard that has lost data: nobody was heard in it, nobody vouches for it. Only where the epoch is
-- still the one in which the loss was seen: one process does it.
-- ARGV[1] = prefix, ARGV[2] = the epoch seen (empty: no meta was there), ARGV[3] = the highest epoch known, ARGV[4] = how the loss
-- was seen, ARGV[5] = the number of shards, ARGV[6] = the rule of trees. Returns the epoch that holds now.
local seen = redis.call('HGET', prefix .. 'meta', 'epoch') or ''
if seen ~= ARGV[2] then return seen end
local time = redis.call('TIME')
local epoch = time[1] .. string.format('%06d', time[2])
local highest = tonumber(ARGV[3])
if tonumber(epoch) <= highest then epoch = string.format('%.0f', highest + 1) end
redis.call('HSET', prefix .. 'meta', 'epoch', epoch, 'lost', epoch .. ' ' .. ARGV[4])
redis.call('HSETNX', prefix .. 'meta', 'shards', ARGV[5])
redis.call('HSETNX', prefix .. 'meta', 'tree_rule', ARGV[6])
return epoch
