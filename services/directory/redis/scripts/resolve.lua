-- Carries out what was found about a name (resolving.ts, resolved()), unless its row is not as expected any more. Follows rows.lua,
-- store.lua and cases.lua, and `reasons` of case.ts.
-- ARGV[2..5] = name, tree, field, shared, ARGV[6] = the row expected, packed, or empty, ARGV[7] = when its case was rung, or
-- empty, ARGV[8] = the action, ARGV[9] and ARGV[10] = location and ACL of a claim, ARGV[11] = session, ARGV[12] = whose,
-- ARGV[13] = now, ARGV[14] = a nonce, ARGV[15] = the log's length, then the rivals to forget. Returns 1, or 0 when nothing was done.
local place = { name = ARGV[2], tree = ARGV[3], field = ARGV[4], shared = ARGV[5] == '1' }
local action, session, by, now = ARGV[8], ARGV[11], ARGV[12], ARGV[13]
local row, packed = row_of(place)
if not row and action ~= 'claim' then action = 'close' end
local open = case_of(place.name)
if (packed or '') ~= ARGV[6] or (open and open.rung or '') ~= ARGV[7] then return '0' end

-- settling.ts, isUnderWay().
if action == 'claim' and row and is_pending(row, row.session) then return '0' end

local forget = {}
for i = 16, #ARGV do forget[ARGV[i]] = true end
local left = without_rivals(open and open.rivals or {}, forget)

local actions = {
  close = function() return row, left, false end,
  remove = function() return nil, left, true end,
  restore = function() return taken(row, left, row.location, row.acl) end,
  hand = function()
    if row.state == 'H' then return row, left, false end
    return { state = 'H', version = row.version, location = row.location, acl = row.acl, session = session, since = now, ended = now }, left, true
  end,
  claim = function() return taken(row, left, ARGV[9], ARGV[10]) end,
}
local next, rivals, logged = actions[action]()
local cause = action == 'claim' and 'claim' or 'reconcile'
if logged then change(place, row, next, { session = session, by = by, cause = cause, now = now, nonce = ARGV[14], log_length = ARGV[15] })
elseif next and next ~= row then rewrite(place, next) end

local reason
if action == 'hand' then reason = open and open.reason or reasons.handed
elseif action == 'claim' then
  local unasked = open and weight(open.reason) == 2
  if unasked or #rivals > 0 then reason = weightier(open, reasons.claimed) end
elseif #rivals > 0 then reason = open and open.reason or reasons.claimed end
local opener = action ~= 'claim' and open and open.session or session
keep_case(place.name, reason and rung_for(open, reason, opener, now, rivals) or nil)
return '1'
