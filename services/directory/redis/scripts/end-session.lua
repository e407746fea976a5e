-- Settles what a session left pending in one shard: at its end, or when it names its server. Follows rows.lua, store.lua and
-- cases.lua, and `reasons` of case.ts.
-- ARGV[2] = the session, ARGV[3] = how it ended, or `bind`, ARGV[4] = now, ARGV[5] = the tombstones' grace, ARGV[6] = the
-- log's length, ARGV[7] = whose session it is, ARGV[8] = the server, of `bind`; then name, tree, field, shared and a nonce
-- for each row. Returns the names that were put back, those rung, and the
-- head of the log.
local session, how, now, grace, log_length, by, server = ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7], ARGV[8]
local pending_key = prefix .. 'pending:' .. session

local function active(row) return { state = 'A', location = row.location, acl = row.acl } end

-- settling.ts, settled(): the row after its session's end, and why reconciliation is rung.
local function settled(name, row)
  if row.state ~= 'T' then
    if how == 'refused' then return row end
    row.ended = now
    return row, row.state == 'C' and reasons.reserved or reasons.handed
  end
  if how ~= 'logout' then return active(row), reasons.putBack end
  local is_deleted_name = string.find(name, '^DELETED%.') or string.find(name, '^[^!]*!DELETED%.')
  if not has_flag(row, 'U') or is_deleted_name then return nil end
  row.ended = now
  return row, reasons.unbound
end

-- settling.ts, bound(): the row after its session has named a server.
local function bound_to(row)
  if not has_flag(row, 'U') then return row end
  if server_of(row.location) ~= server then return active(row), reasons.putBack end
  row.flags = ''
  return row
end

local restored, rung = {}, {}
for i = 9, #ARGV, 5 do
  local place = { name = ARGV[i], tree = ARGV[i + 1], field = ARGV[i + 2], shared = ARGV[i + 3] == '1' }
  local row = row_of(place)
  if row and row.state == 'A' then
    if how == 'cut' then
      rung[#rung + 1] = place.name
      ring(place.name, reasons.unheard, session, now)
    end
    if how == 'cut' or how == 'logout' then redis.call('SREM', pending_key, place.name) end
  elseif is_pending(row, session) then
    local before = row.state
    local next, why
    if how == 'bind' then next, why = bound_to(row) else next, why = settled(place.name, row) end
    if next and next.state == before then rewrite(place, next)
    else change(place, row, next, { session = session, by = by, cause = how, now = now, nonce = ARGV[i + 4], log_length = log_length }) end
    if not next then
      bury(place.name, row, now, grace)
      local open = case_of(place.name)
      if open and is_own(open.reason, open.rivals) then keep_case(place.name, nil) end
    elseif next.state == 'A' then
      restored[#restored + 1] = place.name
    end
    if why then
      rung[#rung + 1] = place.name
      ring(place.name, why, session, now)
    end
    if not is_pending(next, session) then redis.call('SREM', pending_key, place.name) end
  else
    redis.call('SREM', pending_key, place.name)
  end
end
if redis.call('EXISTS', pending_key) == 0 then redis.call('SREM', prefix .. 'sessions', session) end
return { restored, rung, redis.call('HMGET', prefix .. 'head', 'seq', 'nonce') }
