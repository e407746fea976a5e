-- Takes a tree that may be looked at, if there is one. ARGV[4] = how many events at most.
return take(mine, tonumber(ARGV[4]))
