-- Cases of reconciliation: shared by the scripts that open, change and close them. Follows rows.lua and store.lua.
-- `case:<name>` is a hash: reason, session, since, rung, the reason behind, and `rival:<server>` with kind, length of the location, location, ACL.
-- `cases` has the names by the time of opening.
local kinds = { D = 'duplicate', C = 'claim' }

-- The case of a name: {reason, session, since, rung, behind, rivals in the order of their servers}; nil when none is open.
local function case_of(name)
  local fields = redis.call('HGETALL', prefix .. 'case:' .. name)
  if #fields == 0 then return nil end
  local case = { rivals = {} }
  for i = 1, #fields, 2 do
    local server = string.match(fields[i], '^rival:(.*)$')
    if server then
      local kind, length, start = string.match(fields[i + 1], '^(%a)(%d+) ()')
      local stop = start + tonumber(length)
      case.rivals[#case.rivals + 1] = {
        server = server, kind = kind, location = string.sub(fields[i + 1], start, stop - 1), acl = string.sub(fields[i + 1], stop),
      }
    else
      case[fields[i]] = fields[i + 1]
    end
  end
  table.sort(case.rivals, function(a, b) return a.server < b.server end)
  return case
end

local function keep_case(name, case)
  local key = prefix .. 'case:' .. name
  redis.call('DEL', key)
  if not case then
    redis.call('ZREM', prefix .. 'cases', name)
    return
  end
  redis.call('HSET', key, 'reason', case.reason, 'session', case.session, 'since', case.since, 'rung', case.rung)
  if case.behind then redis.call('HSET', key, 'behind', case.behind) end
  for _, rival in ipairs(case.rivals) do
    redis.call('HSET', key, 'rival:' .. rival.server, rival.kind .. #rival.location .. ' ' .. rival.location .. rival.acl)
  end
  redis.call('ZADD', prefix .. 'cases', case.since, name)
end

local function without_rivals(rivals, servers)
  local left = {}
  for _, rival in ipairs(rivals) do
    if not servers[rival.server] then left[#left + 1] = rival end
  end
  return left
end

local function with_rival(rivals, one)
  local all = without_rivals(rivals, { [one.server] = true })
  all[#all + 1] = one
  table.sort(all, function(a, b) return a.server < b.server end)
  return all
end

-- case.ts: how much has to be known before a reason is settled.
local weights = {
  [reasons.putBack] = 0, [reasons.reserved] = 0, [reasons.unbound] = 0, [reasons.again] = 0, [reasons.unheard] = 0, [reasons.crossed] = 0, [reasons.unknownThere] = 0,
  [reasons.handed] = 2, [reasons.madeAnew] = 2, [reasons.takenBack] = 2, [reasons.copyTook] = 2, [reasons.deleted] = 2, [reasons.expired] = 2, [reasons.undone] = 2,
}
local function weight(reason) return weights[reason] or 1 end
local function is_own(reason, rivals) return #rivals == 0 and weight(reason) == 0 end
local function weightier(open, reason)
  if open and weight(open.reason) > weight(reason) then return open.reason end
  return reason
end

local function record_of(rivals, server)
  for _, rival in ipairs(rivals) do
    if rival.server == server then return rival end
  end
end

-- ruling.ts, changed(): whether anything differs, and a server that has the row is no rival of it.
local function changed(row, next, rivals)
  local left = rivals
  if next and next.state == 'A' then left = without_rivals(rivals, { [server_of(next.location)] = true }) end
  if row and next and row.state == next.state and row.location == next.location and row.acl == next.acl then return row, left, false end
  return next, left, row ~= nil or next ~= nil
end

-- ruling.ts, taken(): the server that had the row until now still holds a copy.
local function taken(row, rivals, place, acl)
  if row and server_of(row.location) ~= server_of(place) then
    rivals = with_rival(rivals, { server = server_of(row.location), kind = 'D', location = row.location, acl = row.acl })
  end
  return changed(row, { state = 'A', location = place, acl = acl }, rivals)
end

-- case.ts, rungFor(): never twice at the same time, and a reason about the row's own server is kept behind a weightier one.
local function rung_for(open, why, session, now, rivals)
  local case = { reason = weightier(open, why), session = session, since = now, rung = now, rivals = rivals }
  if open then
    case.since = open.since
    case.rung = string.format('%.0f', math.max(tonumber(now), tonumber(open.rung) + 1))
  end
  if weight(case.reason) == 0 then return case end
  if weight(why) == 0 then case.behind = why
  elseif open then case.behind = open.behind or (weight(open.reason) == 0 and open.reason or nil) end
  return case
end

-- settling.ts: the reason to ring opens a case, or renews it.
local function ring(name, reason, session, now)
  local open = case_of(name)
  keep_case(name, rung_for(open, reason, session, now, open and open.rivals or {}))
end
