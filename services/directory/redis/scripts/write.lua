-- One write by the table of rules.ts: check, write, index and log, atomically in one shard.
-- Follows rows.lua, store.lua, cases.lua, and `VERB`, `bound` and `cells`: this verb's column of the policy's table.
-- KEYS[1] = the shard's key of the tree (for routing). ARGV as below. Returns situation, rule number, prior row, the number of the last
-- change, whether the row waits for its session's end, and the nonce of that change.
local tree, field, shared = ARGV[2], ARGV[3], ARGV[4] == '1'
local location, acl = ARGV[5], ARGV[6]
local session, server, admin, push = ARGV[7], ARGV[8], ARGV[9] == '1', ARGV[10] == '1'
local now, max_age, grace, nonce, log_length = ARGV[11], ARGV[12], ARGV[13], ARGV[14], ARGV[15]
local name, by = ARGV[16], ARGV[17]

local words = { A = 'active', C = 'created', H = 'handed', D = 'contested', T = 'buried' }
local place = { name = name, tree = tree, field = field, shared = shared }
local row, packed = row_of(place)
local open = case_of(name)
local rivals = open and open.rivals or {}
local holder = row and server_of(row.location)

-- The server for which the write comes.
local writing
if VERB ~= 'DELETE' then writing = server_of(location)
elseif admin or server == '' then writing = holder
else writing = server end
local record = writing and record_of(rivals, writing) or nil

-- Whether more than `limit` milliseconds have passed since `moment`; an empty limit is none.
local function is_past(moment, limit)
  return moment ~= nil and limit ~= '' and tonumber(now) - tonumber(moment) > tonumber(limit)
end

local function situation_of()
  if bound and not admin and server ~= '' and VERB ~= 'DELETE' and writing ~= server and holder ~= server then return 'foreign' end
  if not row then return 'absent' end
  if writing == holder then return words[row.state] .. '/same' end
  if row.state == 'C' and (is_past(row.since, max_age) or is_past(row.ended, grace)) then return 'expired/other' end
  return words[row.state] .. '/other'
end

-- The destination of the lease on the tree; nil without one.
local function lease_destination()
  local lease = redis.call('GET', prefix .. 'lease:' .. tree)
  local ends, destination = string.match(lease or '', '^(%d+) [^ ]* (.*)$')
  return ends and tonumber(ends) > tonumber(now) and destination or nil
end

-- `+` while it is being copied ahead of its move, `-` after that, and where to; nil where no copy is known. Shared mailboxes move
-- one by one.
local function copy_of_tree()
  local kept = redis.call('GET', prefix .. 'copy:' .. (shared and name or tree)) or ''
  local ends, made, later, destination = string.match(kept, '^(%d+) ([+-])(%d*) (.*)$')
  if ends and tonumber(ends) > tonumber(now) then return made, destination end
  if later and later ~= '' and tonumber(later) > tonumber(now) then return '-', destination end
end

local holds = {
  push = function() return push end,
  admin = function() return admin end,
  handing = function() return row and row.session == session end,
  exact = function() return row and row.location == location end,
  populating = function()
    local meta = redis.call('HMGET', prefix .. 'meta', 'epoch', 'settled', 'vouched')
    return not (meta[1] and (meta[2] == meta[1] or string.match(meta[3] or '', '^%d+') == meta[1]))
  end,
  released = function() return has_flag(row, 'R') end,
  ended = function() return row ~= nil and row.ended ~= nil end,
  rival = function() return record ~= nil end,
  duplicate = function() return record ~= nil and record.kind == 'D' end,
  leased = function() return lease_destination() == writing and writing ~= nil end,
  barred = function()
    local destination = lease_destination()
    return destination ~= nil and destination ~= writing
  end,
  copying = function() return (copy_of_tree()) == '+' end,
  copied = function()
    local _, destination = copy_of_tree()
    return destination ~= nil and destination == writing
  end,
}

local function rule_of(situation)
  for number, rule in ipairs(cells[situation]) do
    local all = true
    for condition in string.gmatch(rule[1], '%a+') do all = all and holds[condition]() end
    if all then return number, rule[2], rule[3], rule[4] end
  end
end

local function with(state, flags)
  return { state = state, version = row.version, location = row.location, acl = row.acl, session = session, since = now, flags = flags }
end

local function rival(kind) return { server = server_of(location), kind = kind, location = location, acl = acl } end

local function reserved(state) return { state = state, location = location, acl = '', session = session, since = now } end

local function merged()
  if row and holder == server_of(location) and has_no_partition(location) then return row.location end
  return location
end

-- The effects of rules.ts, by the same names: row and rivals after, and whether readers must hear of it.
local effects = {
  none = function() return row, rivals, false end,
  remove = function() return nil, rivals, true end,
  renew = function() return with('C'), rivals, false end,
  remember = function()
    local next = with('H')
    next.since = row.since
    return next, rivals, false
  end,
  hand = function() return with('H'), rivals, true end,
  release = function()
    local next = with('H', 'R')
    next.session, next.ended = row.session, row.ended
    next.since = string.format('%.0f', math.max(tonumber(now), tonumber(row.since) + 1))
    return next, rivals, false
  end,
  bury = function() return with('T', (not admin and server == '') and 'U' or ''), rivals, row.state ~= 'T' end,
  create = function() return changed(row, reserved('C'), rivals) end,
  activate = function() return changed(row, { state = 'A', location = merged(), acl = acl }, rivals) end,
  assign = function() return changed(row, { state = 'A', location = location, acl = acl }, rivals) end,
  take = function() return taken(row, rivals, merged(), acl) end,
  duplicate = function() return row, with_rival(rivals, rival('D')), false end,
  claim = function() return row, with_rival(rivals, rival('C')), false end,
  contest = function() return changed(row, with('D'), with_rival(rivals, rival('C'))) end,
  withdraw = function()
    local left = without_rivals(rivals, { [writing or ''] = true })
    if not row or row.state ~= 'D' or #left > 0 then return row, left, false end
    return changed(row, { state = 'A', location = row.location, acl = row.acl }, left)
  end,
  yield = function()
    local heir = rivals[1]
    if not heir then return nil, rivals, row ~= nil end
    local others = without_rivals(rivals, { [heir.server] = true })
    local next = { state = #others > 0 and 'D' or 'A', location = heir.location, acl = heir.acl, session = session, since = now }
    return changed(row, next, others)
  end,
}
effects.demote = effects.create

local situation = situation_of()
local number, effect, ok, why = rule_of(situation)
local next, left, logged = effects[effect]()
local seq
if logged then
  seq = change(place, row, next, { session = session, by = by, cause = VERB, now = now, nonce = nonce, log_length = log_length })
else
  seq = redis.call('HGET', prefix .. 'head', 'seq') or '0'
  if next ~= row then rewrite(place, next) end
end

-- ruling.ts, isTakenWhole(): what is its own there by now is no copy of it any more. One that is being made goes on.
if VERB == 'ACTIVATE' and ok and (shared or name == tree) then
  local made, destination = copy_of_tree()
  if made == '-' and next.state == 'A' and destination == server_of(next.location) then
    redis.call('DEL', prefix .. 'copy:' .. name)
  end
end

-- ruling.ts, caseAfter().
if why ~= '' then
  keep_case(name, rung_for(open, why, session, now, left))
elseif open then
  local withdrawn = (effect == 'yield' or effect == 'withdraw' and #rivals > 0) and weight(open.reason) < 2
  local says = is_own(open.reason, left) and (effect ~= 'none' or VERB == 'ACTIVATE')
  local clear = ok and #left == 0 and (not next or next.state == 'A')
  open.rivals = left
  if clear and withdrawn and open.behind then
    open.reason, open.behind = open.behind, nil
    keep_case(name, open)
  elseif clear and (withdrawn or says) then keep_case(name, nil)
  elseif #left ~= #rivals then keep_case(name, open) end
end

-- settling.ts, mayBeUnheard().
local pending = is_pending(next, session) or ok and VERB == 'ACTIVATE' and not push
if pending then note_pending(session, name) end
local head = redis.call('HMGET', prefix .. 'head', 'seq', 'nonce')
return { situation, number, packed or '', seq, pending and '1' or '', head[2] or '' }
