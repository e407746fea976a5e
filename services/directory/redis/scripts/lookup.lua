-- Several rows of one shard in one instant, with the directory's standing of that very instant. Follows rows.lua.
-- ARGV[1] = prefix, then name, tree, field, shared, ... Returns {rows, meta and head}. For a missing row there is its grave, the
-- tombstone of a session that has ended a short while ago, or else an empty string.
local rows = {}
for i = 2, #ARGV, 4 do
  local name, tree, field = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local row = redis.call('HGET', row_key(tree, field, ARGV[i + 3] == '1'), field)
  rows[#rows + 1] = row or redis.call('GET', prefix .. 'grave:' .. name) or ''
end
local meta = redis.call('HGETALL', prefix .. 'meta')
for _, word in ipairs(redis.call('HGETALL', prefix .. 'head')) do meta[#meta + 1] = word end
return { rows, meta }
