-- Renews the token of a tree's list; 0 when it is another's.
if not is_mine() then return 0 end
return redis.call('PEXPIRE', token, hold_ms)
