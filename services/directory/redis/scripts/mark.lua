-- Notes something as true of a shard's present epoch; nothing where the shard was lost and not made anew.
-- ARGV[1] = prefix, ARGV[2] = the field of meta.
local epoch = redis.call('HGET', prefix .. 'meta', 'epoch')
if epoch then redis.call('HSET', prefix .. 'meta', ARGV[2], epoch) end
return epoch or ''
