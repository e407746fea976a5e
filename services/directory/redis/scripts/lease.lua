-- Takes the lease on a tree, or renews it for who has it. ARGV[1] = prefix, ARGV[2] = the tree, ARGV[3] = the token, ARGV[4] = the
-- destination, ARGV[5] = now, ARGV[6] = for how many milliseconds. Returns 1, or 0 when another has it.
local key = prefix .. 'lease:' .. ARGV[2]
local ends, token = string.match(redis.call('GET', key) or '', '^(%d+) ([^ ]*) ')
if ends and tonumber(ends) > tonumber(ARGV[5]) and token ~= ARGV[3] then return '0' end
local last = string.format('%.0f', tonumber(ARGV[5]) + tonumber(ARGV[6]))
redis.call('SET', key, last .. ' ' .. ARGV[3] .. ' ' .. ARGV[4], 'PX', ARGV[6])
return '1'
