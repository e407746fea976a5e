-- Renews tokens. ARGV[3], ARGV[4] and so on: a tree and its token each. Returns the trees whose token is another's.
local lost = {}
for i = 3, #ARGV, 2 do
  if is_held(ARGV[i], ARGV[i + 1]) then
    renew(ARGV[i])
  else
    lost[#lost + 1] = ARGV[i]
  end
end
return lost
