-- Several rows of one shard in one instant, with the directory's standing of that very instant. Follows rows.lua.
-- ARGV[1] = prefix, then tree, field, shared, ... Returns {rows, meta}; a missing row is an empty string.
local rows = {}
for i = 2, #ARGV, 3 do
  local tree, field = ARGV[i], ARGV[i + 1]
  rows[#rows + 1] = redis.call('HGET', row_key(tree, field, ARGV[i + 2] == '1'), field) or ''
end
return { rows, redis.call('HGETALL', prefix .. 'meta') }
