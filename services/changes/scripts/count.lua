-- Keeps a tree's tally, and what it changes in the sums of all trees. ARGV: prefix, the key and the token of the hold on the tree, the key
-- of the tallies, the tree, its tally ('' = none), then a server, mailboxes and users to add for each difference. Returns 0, and
-- nothing is done, when the hold was lost.
local prefix, tallies, tree, tally = ARGV[1], ARGV[4], ARGV[5], ARGV[6]
if redis.call('GET', ARGV[2]) ~= ARGV[3] then return 0 end
if tally == '' then redis.call('HDEL', tallies, tree) else redis.call('HSET', tallies, tree, tally) end
local function add(sums, server, by)
  if by == '0' then return end
  if redis.call('HINCRBY', prefix .. sums, server, by) == 0 then redis.call('HDEL', prefix .. sums, server) end
end
for i = 7, #ARGV, 3 do
  add('mailboxes', ARGV[i], ARGV[i + 1])
  add('users', ARGV[i], ARGV[i + 2])
end
return 1
