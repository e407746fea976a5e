-- One write by the table of rules.ts: check, write, index and log, atomically in one shard.
-- Follows rules.lua text: `cells` (this verb's column of the policy's table) and `bound`, then rows.lua.
-- KEYS[1] = the shard's key of the tree (for routing). ARGV as below. Returns situation, rule number, prior row, seq.
local tree, field, shared = ARGV[2], ARGV[3], ARGV[4] == '1'
local location, acl = ARGV[5], ARGV[6]
local session, server, admin, push = ARGV[7], ARGV[8], ARGV[9] == '1', ARGV[10] == '1'
local now, max_age, nonce, log_length, bucket_rows = ARGV[11], ARGV[12], ARGV[13], ARGV[14], ARGV[15]
local name = ARGV[16]

local function server_of(place) return string.match(place, '^[^!]*') end
local function has_no_partition(place) return not string.find(place, '!.') end

local function unpack_row(packed)
  local state, version, rest = string.match(packed, '^(%a)(%d+)(.*)$')
  local since, holder = string.match(rest, '^,(%d+),([^ ]*) ')
  local length, start = string.match(rest, '^[^ ]* (%d+) ()')
  length = tonumber(length)
  return {
    state = state, version = version, since = since, session = holder,
    location = string.sub(rest, start, start + length - 1), acl = string.sub(rest, start + length),
  }
end

local function pack_row(row, version)
  local mark = ''
  if row.state ~= 'A' then mark = ',' .. row.since .. ',' .. row.session end
  return row.state .. version .. mark .. ' ' .. #row.location .. ' ' .. row.location .. row.acl
end

local words = { A = 'active', C = 'created', H = 'handed' }

local function situation_of(row)
  local holder = row and server_of(row.location)
  local named = VERB ~= 'DELETE' and server_of(location) or nil
  if bound and not admin and server ~= '' and named and named ~= server and holder ~= server then return 'foreign' end
  if not row or row.state == 'T' then return 'absent' end
  local writing = named
  if not writing then
    if admin or server == '' then writing = holder else writing = server end
  end
  if writing == holder then return words[row.state] .. '/same' end
  if row.state == 'C' and max_age ~= '' and tonumber(now) - tonumber(row.since) > tonumber(max_age) then
    return 'expired/other'
  end
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
  create = function(row) return changed(row, { state = 'C', location = location, acl = '', session = session, since = now }) end,
  activate = function(row)
    local place = location
    if row and server_of(row.location) == server_of(place) and has_no_partition(place) then place = row.location end
    return changed(row, { state = 'A', location = place, acl = acl })
  end,
  assign = function(row) return changed(row, { state = 'A', location = location, acl = acl }) end,
}
effects.demote = effects.create

local function count(row, by)
  local holder = server_of(row.location)
  if redis.call('HINCRBY', prefix .. 'server:' .. holder, tree, by) == 0 then redis.call('HDEL', prefix .. 'server:' .. holder, tree) end
  if redis.call('HINCRBY', prefix .. 'servers', holder, by) == 0 then redis.call('HDEL', prefix .. 'servers', holder) end
end

-- A full bucket makes the tree one bucket larger: the rows of one bucket are dealt out anew between it and the new one.
local function grow(buckets)
  local level = 1
  while level * 2 <= buckets do level = level * 2 end
  local from = bucket_key(tree, buckets - level)
  redis.call('HSET', prefix .. 'buckets', tree, buckets + 1)
  local rows = redis.call('HGETALL', from)
  for i = 1, #rows, 2 do
    local to = bucket_key(tree, bucket_of(tree, rows[i], buckets + 1))
    if to ~= from then
      redis.call('HSET', to, rows[i], rows[i + 1])
      redis.call('HDEL', from, rows[i])
    end
  end
end

local function tree_is_empty()
  local buckets = bucket_count(tree, shared)
  for bucket = 0, buckets - 1 do
    if redis.call('EXISTS', bucket_key(tree, bucket)) == 1 then return false end
  end
  return true
end

local function store(key, row, next, version)
  if row then count(row, -1) end
  if next then
    count(next, 1)
    redis.call('HSET', key, field, pack_row(next, version))
    redis.call('ZADD', prefix .. 'trees', 0, tree)
    if shared and redis.call('HLEN', key) > tonumber(bucket_rows) then grow(bucket_count(tree, shared)) end
  else
    redis.call('HDEL', key, field)
    if tree_is_empty() then
      redis.call('ZREM', prefix .. 'trees', tree)
      redis.call('HDEL', prefix .. 'buckets', tree)
    end
  end
end

local function append(row, next)
  local head = redis.call('HMGET', prefix .. 'head', 'seq', 'nonce')
  local seq = string.format('%.0f', tonumber(head[1] or '0') + 1)
  redis.call('XADD', prefix .. 'log', 'MAXLEN', '~', log_length, seq .. '-0',
    'n', name, 's', next and next.state or 'X', 'l', next and next.location or '', 'a', next and next.acl or '',
    'f', row and row.location or '', 'w', session, 't', now, 'k', nonce, 'p', head[2] or '')
  redis.call('HSET', prefix .. 'head', 'seq', seq, 'nonce', nonce)
  return seq
end

local key = row_key(tree, field, shared)
local packed = redis.call('HGET', key, field)
local row = packed and unpack_row(packed) or nil
local situation = situation_of(row)
local number, effect = rule_of(situation, row)
local next, logged = effects[effect](row)
local seq
if logged then
  seq = append(row, next)
  store(key, row, next, seq)
else
  seq = redis.call('HGET', prefix .. 'head', 'seq') or '0'
  if next ~= row then redis.call('HSET', key, field, pack_row(next, next.version)) end
end
return { situation, number, packed or '', seq }
