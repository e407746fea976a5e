-- Takes the lease on a queue's source, or renews it for who has it. ARGV: prefix, token, for how many milliseconds. Returns the
-- position up to which the lists have everything, '' when there is none, or 0 when another has the lease.
local key = ARGV[1] .. 'lease'
local token = redis.call('GET', key)
if token and token ~= ARGV[2] then return 0 end
redis.call('SET', key, ARGV[2], 'PX', ARGV[3])
return { redis.call('GET', ARGV[1] .. 'position') or '' }
