-- How many trees may be looked at for ARGV[2] milliseconds now, one of them ('': none), and for how long the first one may.
-- A tree with a list and no time of its own (an older program wrote it) may be looked at now.
if redis.call('ZCARD', due) < redis.call('ZCARD', waiting) then
  redis.call('ZUNIONSTORE', due, 2, due, waiting, 'AGGREGATE', 'MAX')
end
local before = now - ARGV[2]
local first = redis.call('ZRANGEBYSCORE', due, '-inf', before, 'WITHSCORES', 'LIMIT', 0, 1)
local later = redis.call('ZRANGEBYSCORE', due, beyond, '+inf', 'LIMIT', 0, 1)
local count = redis.call('ZCOUNT', due, '-inf', before) + redis.call('ZCOUNT', due, beyond, '+inf')
return { count, first[1] or later[1] or '', first[2] and now - first[2] or 0 }
