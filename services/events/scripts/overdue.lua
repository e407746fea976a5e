-- How many trees may be looked at for ARGV[2] milliseconds now, one of them ('': none), and for how long the first one may. ARGV[1] = prefix.
-- A tree with a list and no time of its own (an older program wrote it) may be looked at now.
local due, waiting, time = ARGV[1] .. 'due', ARGV[1] .. 'waiting', redis.call('TIME')
if redis.call('ZCARD', due) < redis.call('ZCARD', waiting) then
  redis.call('ZUNIONSTORE', due, 2, due, waiting, 'AGGREGATE', 'MAX')
end
local before = time[1] * 1000 + math.floor(time[2] / 1000) - ARGV[2]
local first = redis.call('ZRANGEBYSCORE', due, '-inf', before, 'WITHSCORES', 'LIMIT', 0, 1)
return { redis.call('ZCOUNT', due, '-inf', before), first[1] or '', first[2] and before + ARGV[2] - first[2] or 0 }
