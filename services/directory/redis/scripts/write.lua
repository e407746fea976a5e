-- One write by the table of rules.ts: check, write, index and log, atomically in one shard.
-- Follows rows.lua, store.lua, and `VERB`, `bound` and `cells`: this verb's column of the policy's table.
-- KEYS[1] = the shard's key of the tree (for routing). ARGV as below. Returns situation, rule number, prior row, seq, and whether
-- the row waits for its session's end.
local tree, field, shared = ARGV[2], ARGV[3], ARGV[4] == '1'
local location, acl = ARGV[5], ARGV[6]
local session, server, admin, push = ARGV[7], ARGV[8], ARGV[9] == '1', ARGV[10] == '1'
local now, max_age, grace, nonce, log_length = ARGV[11], ARGV[12], ARGV[13], ARGV[14], ARGV[15]
local name = ARGV[16]

local words = { A = 'active', C = 'created', H = 'handed', T = 'buried' }

-- Whether more than `limit` milliseconds have passed since `moment`; an empty limit is none.
local function is_past(moment, limit)
  return moment ~= nil and limit ~= '' and tonumber(now) - tonumber(moment) > tonumber(limit)
end

local function situation_of(row)
  local holder = row and server_of(row.location)
  local named = VERB ~= 'DELETE' and server_of(location) or nil
  if bound and not admin and server ~= '' and named and named ~= server and holder ~= server then return 'foreign' end
  if not row then return 'absent' end
  local writing = named
  if not writing then
    if admin or server == '' then writing = holder else writing = server end
  end
  if writing == holder then return words[row.state] .. '/same' end
  if row.state == 'C' and (is_past(row.since, max_age) or is_past(row.ended, grace)) then return 'expired/other' end
  return words[row.state] .. '/other'
end

local function rule_of(situation, row)
  for number, rule in ipairs(cells[situation]) do
    local condition = rule[1]
    if condition == ''
      or (condition == 'push' and push)
      or (condition == 'admin' and admin)
      or (condition == 'handing' and row and row.session == session)
      or (condition == 'exact' and row and row.location == location)
    then return number, rule[2] end
  end
end

local function changed(row, next)
  if row and row.state == next.state and row.location == next.location and row.acl == next.acl then return row, false end
  return next, true
end

-- The effects of rules.ts, by the same names: the row after, and whether readers must hear of it.
local effects = {
  none = function(row) return row, false end,
  remove = function() return nil, true end,
  renew = function(row)
    return { state = row.state, version = row.version, location = row.location, acl = row.acl, session = session, since = now }, false
  end,
  remember = function(row)
    return { state = row.state, version = row.version, location = row.location, acl = row.acl, session = session, since = row.since }, false
  end,
  hand = function(row) return { state = 'H', location = row.location, acl = row.acl, session = session, since = now }, true end,
  bury = function(row) return { state = 'T', location = row.location, acl = row.acl, session = session, since = now }, true end,
  create = function(row) return changed(row, { state = 'C', location = location, acl = '', session = session, since = now }) end,
  activate = function(row)
    local place = location
    if row and server_of(row.location) == server_of(place) and has_no_partition(place) then place = row.location end
    return changed(row, { state = 'A', location = place, acl = acl })
  end,
  assign = function(row) return changed(row, { state = 'A', location = location, acl = acl }) end,
}
effects.demote = effects.create

local place = { name = name, tree = tree, field = field, shared = shared }
local key = row_key(tree, field, shared)
local packed = redis.call('HGET', key, field)
local row = packed and unpack_row(packed) or nil
local situation = situation_of(row)
local number, effect = rule_of(situation, row)
local next, logged = effects[effect](row)
local seq
if logged then
  seq = change(place, row, next, { session = session, now = now, nonce = nonce, log_length = log_length })
else
  seq = redis.call('HGET', prefix .. 'head', 'seq') or '0'
  if next ~= row then redis.call('HSET', key, field, pack_row(next, next.version)) end
end
local pending = is_pending(next, session)
if pending then note_pending(session, name) end
return { situation, number, packed or '', seq, pending and '1' or '' }
