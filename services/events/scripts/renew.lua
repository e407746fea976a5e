-- Renews the token of the tree ARGV[4]; 0 when it is another's.
if not is_mine(ARGV[4]) then return 0 end
hold(ARGV[4])
return 1
