-- All rows of some trees of one shard, each tree as it is in this instant. Follows rows.lua.
-- ARGV[1] = prefix, then the trees. Returns, for each tree, a list of fields and rows.
local trees = {}
for i = 2, #ARGV do
  local tree = ARGV[i]
  local rows = redis.call('HGETALL', bucket_key(tree, 0))
  for bucket = 1, bucket_count(tree, true) - 1 do
    for _, value in ipairs(redis.call('HGETALL', bucket_key(tree, bucket))) do rows[#rows + 1] = value end
  end
  trees[#trees + 1] = rows
end
return trees
