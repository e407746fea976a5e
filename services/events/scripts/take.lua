-- Takes the token of a tree's list. ARGV[5] = how many events at most. Returns the first events, or for how many milliseconds
-- another worker's token still holds.
if not redis.call('SET', token, mine, 'PX', hold_ms, 'NX') then return redis.call('PTTL', token) end
return first(tonumber(ARGV[5]))
