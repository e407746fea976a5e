-- Removes the first ARGV[5] events, which are done, and renews the token. Returns the next ones, ARGV[6] at most; 0, and nothing done,
-- when the token is another's.
if not is_mine() then return 0 end
redis.call('PEXPIRE', token, hold_ms)
remove(tonumber(ARGV[5]))
return first(tonumber(ARGV[6]))
