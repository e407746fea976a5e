-- Makes a shard of the directory where there is none, and returns its meta.
-- ARGV[1] = prefix, ARGV[2] = the number of shards, ARGV[3] = the rule of trees.
if redis.call('EXISTS', prefix .. 'meta') == 0 then
  redis.call('HSET', prefix .. 'meta', 'shards', ARGV[2], 'tree_rule', ARGV[3], 'epoch', '1')
end
return redis.call('HGETALL', prefix .. 'meta')
