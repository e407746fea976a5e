-- Gives a lease back. Follows store.lua. ARGV[1] = prefix, ARGV[2] = the tree, ARGV[3] = '1' when it is a shared one, ARGV[4] = the token
-- that proves whose it is, ARGV[5] = now, ARGV[6] = a nonce, ARGV[7] = the length of the log. It is a change in the log: mail may wait for it.
local key = prefix .. 'lease:' .. ARGV[2]
local ends, token = string.match(redis.call('GET', key) or '', '^(%d+) ([^ ]*) ')
if token ~= ARGV[4] or tonumber(ends) <= tonumber(ARGV[5]) then return '1' end
redis.call('DEL', key)
local place = { name = ARGV[2], tree = ARGV[2], field = '', shared = ARGV[3] == '1' }
local row = row_of(place)
append(place, row, row, { session = '', by = '', cause = 'lease', now = ARGV[5], nonce = ARGV[6], log_length = ARGV[7] })
return '1'
