-- Notes what an open case waits for. ARGV[1] = prefix, ARGV[2] = the name, ARGV[3] = the text.
local key = prefix .. 'case:' .. ARGV[2]
if redis.call('EXISTS', key) == 1 then redis.call('HSET', key, 'waiting', ARGV[3]) end
return '1'
