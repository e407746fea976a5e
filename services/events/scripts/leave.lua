-- Gives the lease on a queue's source up, where it is still ours. ARGV: prefix, token.
if redis.call('GET', ARGV[1] .. 'lease') == ARGV[2] then redis.call('DEL', ARGV[1] .. 'lease') end
return 1
