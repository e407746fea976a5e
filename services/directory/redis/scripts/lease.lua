-- Takes the lease on a tree, or renews it for who has it. Follows store.lua. ARGV[1] = prefix, ARGV[2] = the tree, ARGV[3] = '1' when it
-- is a shared one, ARGV[4] = the token, ARGV[5] = the destination, ARGV[6] = now, ARGV[7] = for how many milliseconds, ARGV[8] = a
-- nonce, ARGV[9] = the length of the log. Returns 1, or 0 when another has it. To take it is a change in the log.
local tree, token, now = ARGV[2], ARGV[4], ARGV[6]
local key = prefix .. 'lease:' .. tree
local ends, holder = string.match(redis.call('GET', key) or '', '^(%d+) ([^ ]*) ')
local held = ends and tonumber(ends) > tonumber(now)
if held and holder ~= token then return '0' end
local last = string.format('%.0f', tonumber(now) + tonumber(ARGV[7]))
redis.call('SET', key, last .. ' ' .. token .. ' ' .. ARGV[5], 'PX', ARGV[7])
if not held then
  local place = { name = tree, tree = tree, field = '', shared = ARGV[3] == '1' }
  local row = row_of(place)
  append(place, row, row, { session = '', by = '', cause = 'lease', now = now, nonce = ARGV[8], log_length = ARGV[9] })
end
return '1'
