-- Notes that an operator vouches for a shard's present epoch; nothing where the shard was lost and not made anew.
-- ARGV[1] = prefix, ARGV[2] = now, ARGV[3] = the operator.
local epoch = redis.call('HGET', prefix .. 'meta', 'epoch')
if epoch then redis.call('HSET', prefix .. 'meta', 'vouched', epoch .. ' ' .. ARGV[2] .. ' ' .. ARGV[3]) end
return epoch or ''
