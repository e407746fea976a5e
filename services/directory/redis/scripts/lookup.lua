-- Several rows of one shard in one instant, with the directory's standing of that very instant. Follows rows.lua.
-- ARGV[1] = prefix, ARGV[2] = now, then name, tree, field, shared, ... Returns {rows, reasons, leases, meta and head}. For a
-- missing row there is its grave, the tombstone of a session that has ended a short while ago, or else an empty string, and
-- the reason of its open case; for each name the destination of the lease on its tree.
local rows, why, leases = {}, {}, {}
for i = 3, #ARGV, 4 do
  local name, tree, field = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local row = redis.call('HGET', row_key(tree, field, ARGV[i + 3] == '1'), field)
  local ends, destination = string.match(redis.call('GET', prefix .. 'lease:' .. tree) or '', '^(%d+) [^ ]* (.*)$')
  rows[#rows + 1] = row or redis.call('GET', prefix .. 'grave:' .. name) or ''
  why[#why + 1] = not row and redis.call('HGET', prefix .. 'case:' .. name, 'reason') or ''
  leases[#leases + 1] = ends and tonumber(ends) > tonumber(ARGV[2]) and destination or ''
end
local meta = redis.call('HGETALL', prefix .. 'meta')
for _, word in ipairs(redis.call('HGETALL', prefix .. 'head')) do meta[#meta + 1] = word end
return { rows, why, leases, meta }
