-- Rings for a name that is doubted. Follows cases.lua, and `reasons` of case.ts.
-- ARGV[1] = prefix, ARGV[2] = the name, ARGV[3] = the reason, ARGV[4] = the session, ARGV[5] = now.
ring(ARGV[2], ARGV[3], ARGV[4], ARGV[5])
return '1'
