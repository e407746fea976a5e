-- Settles what a session left pending in one shard. Follows rows.lua and store.lua.
-- ARGV[2] = the session, ARGV[3] = how it ended, ARGV[4] = now, ARGV[5] = the tombstones' grace, ARGV[6] = the log's
-- length, then name, tree, field, shared and a nonce for each row. Returns the names that were put back.
local session, how, now, grace, log_length = ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local pending_key = prefix .. 'pending:' .. session

-- ruling.ts, settled(): the row after its session's end, and whether that is all of its waiting.
local function settled(row)
  if row.state == 'C' then
    if how == 'refused' then return row end
    row.ended = now
    return row
  end
  if how == 'logout' then return nil end
  return { state = 'A', location = row.location, acl = row.acl }
end

local restored = {}
for i = 7, #ARGV, 5 do
  local place = { name = ARGV[i], tree = ARGV[i + 1], field = ARGV[i + 2], shared = ARGV[i + 3] == '1' }
  local packed = redis.call('HGET', row_key(place.tree, place.field, place.shared), place.field)
  local row = packed and unpack_row(packed) or nil
  if is_pending(row, session) then
    local state = row.state
    local next = settled(row)
    if state == 'C' then
      redis.call('HSET', row_key(place.tree, place.field, place.shared), place.field, pack_row(next, next.version))
    else
      change(place, row, next, { session = session, now = now, nonce = ARGV[i + 4], log_length = log_length })
      if next then
        restored[#restored + 1] = place.name
      elseif tonumber(grace) > tonumber(now) - tonumber(row.since) then
        row.ended = now
        local left = tonumber(grace) - (tonumber(now) - tonumber(row.since))
        redis.call('SET', prefix .. 'grave:' .. place.name, pack_row(row, row.version), 'PX', string.format('%.0f', left))
      end
    end
    if state == 'T' or how ~= 'refused' then redis.call('SREM', pending_key, place.name) end
  else
    redis.call('SREM', pending_key, place.name)
  end
end
if redis.call('EXISTS', pending_key) == 0 then redis.call('SREM', prefix .. 'sessions', session) end
return restored
