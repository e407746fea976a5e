-- Gives a lease back. ARGV[1] = prefix, ARGV[2] = the tree, ARGV[3] = the token that proves whose it is.
local key = prefix .. 'lease:' .. ARGV[2]
local token = string.match(redis.call('GET', key) or '', '^%d+ ([^ ]*) ')
if token == ARGV[3] then redis.call('DEL', key) end
return '1'
