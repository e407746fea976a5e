-- The first event of the tree ARGV[3], whose token is ARGV[4], failed, ARGV[5] tells why; ARGV[6] = now. ARGV[7] = it was tried alone this many times when it is to
-- be set aside ('0': never), ARGV[8] = '1': it was tried alone now, ARGV[9] = the pause after the first failure in milliseconds, doubled
-- with each one after it, ARGV[10] = the longest. Gives the token up. Returns how often it has
-- failed, the pause, and its id when it is set aside; 0, and nothing done, when the token is another's.
local tree = ARGV[3]
if not is_held(tree, ARGV[4]) then return 0 end
local event = first(tree, 1)[1]
if not event then return 0 end
local id, at, body = parts_of(event)
local known = redis.call('HGET', prefix .. 'trouble', tree)
local attempts = tonumber(known and string.match(known, '^' .. id .. ' (%d+) ') or '0')
if ARGV[8] == '1' or attempts == 0 then attempts = attempts + 1 end
local aside = ARGV[7] ~= '0' and ARGV[8] == '1' and attempts >= tonumber(ARGV[7])
if aside and set_aside(tree, id, at, body, ARGV[6], attempts, ARGV[5]) then
  if #first(tree, 1) > 0 then give_up(tree, 0) end
  return { attempts, 0, id }
end
redis.call('HSET', prefix .. 'trouble', tree, id .. ' ' .. attempts .. ' ' .. ARGV[6] .. ' ' .. ARGV[5])
local pause = math.floor(math.min(tonumber(ARGV[10]), tonumber(ARGV[9]) * 2 ^ (attempts - 1)))
give_up(tree, pause)
return { attempts, pause }
