-- Gives the tree ARGV[3] up, where its token is still ARGV[4].
if is_held(ARGV[3], ARGV[4]) then give_up(ARGV[3], 0) end
return 1
