-- Removes the first ARGV[5] events of the tree ARGV[4], which are done. ARGV[6] = how many events are wanted next, at most: of the same
-- tree, or when that has none of another one under the token ARGV[7]. Without that token none are wanted, and the tree is given up.
-- Returns as `take` does, or 'lost', and nothing is done, when the token is another's.
local tree, most, token = ARGV[4], tonumber(ARGV[6]), ARGV[7]
if not is_mine(tree) then return 'lost' end
remove(tree, tonumber(ARGV[5]))
local events = first(tree, most)
if token == '' then
  if #events > 0 then give_up(tree, 0) end
  return next_due()
end
if #events == 0 then return take(token, most) end
hold(tree)
return { tree, '', events }
