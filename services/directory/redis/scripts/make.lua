-- Makes a shard of the directory where there is none, and returns its meta.
-- ARGV[1] = prefix, ARGV[2] = the number of shards, ARGV[3] = the rule of trees.
-- The epoch begins at the time of the making, in microseconds: one made after a loss is never taken for the one before.
if redis.call('EXISTS', prefix .. 'meta') == 0 then
  local time = redis.call('TIME')
  redis.call('HSET', prefix .. 'meta', 'shards', ARGV[2], 'tree_rule', ARGV[3], 'epoch', time[1] .. string.format('%06d', time[2]))
end
return redis.call('HGETALL', prefix .. 'meta')
