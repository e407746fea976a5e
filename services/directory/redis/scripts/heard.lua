-- Notes that a server's list was heard in full in the present epoch; the cases that it has answered are over. Follows
-- rows.lua, store.lua and cases.lua.
-- ARGV[2] = the server, ARGV[3] = when its push began, ARGV[4] = now, ARGV[5] = the log's length, ARGV[6] = how many servers
-- must be heard, then those, then name, tree, field, shared and a nonce for each open case. Returns the epoch.
local server, begun, now, log_length = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local epoch = redis.call('HGET', prefix .. 'meta', 'epoch')
if not epoch then return '' end
redis.call('HSET', prefix .. 'meta', 'heard:' .. server, epoch)

local all = true
local required = tonumber(ARGV[6])
for i = 7, 6 + required do all = all and redis.call('HGET', prefix .. 'meta', 'heard:' .. ARGV[i]) == epoch end
if all then redis.call('HSET', prefix .. 'meta', 'settled', epoch) end

-- settling.ts, confirmed().
for i = 7 + required, #ARGV, 5 do
  local place = { name = ARGV[i], tree = ARGV[i + 1], field = ARGV[i + 2], shared = ARGV[i + 3] == '1' }
  local row = row_of(place)
  local open = case_of(place.name)
  if row and open and server_of(row.location) == server and tonumber(open.rung) < tonumber(begun) then
    local gone = row.state == 'T' and row.ended and tonumber(row.ended) < tonumber(begun)
    if gone then
      change(place, row, nil, { session = open.session, by = '', cause = 'push', now = now, nonce = ARGV[i + 4], log_length = log_length })
    end
    if (gone or row.state == 'A') and is_own(open.reason, open.rivals) then keep_case(place.name, nil) end
  end
end
return epoch
