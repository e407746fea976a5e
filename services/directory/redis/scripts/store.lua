-- Rows taken apart and put together, indexed, and logged: shared by the scripts that write. Follows rows.lua.
local function server_of(place) return string.match(place, '^[^!]*') end
local function has_no_partition(place) return not string.find(place, '!.') end

-- packing.ts: state and version, then of rows that are not active `,since,session[,ended[,flags]]`.
local function unpack_row(packed)
  local state, version, rest = string.match(packed, '^(%a)(%d+)(.*)$')
  local since, holder, ended, flags = string.match(rest, '^,(%d+),([^ ,]*),?(%d*),?(%a*) ')
  local length, start = string.match(rest, '^[^ ]* (%d+) ()')
  length = tonumber(length)
  return {
    state = state, version = version, since = since, session = holder, ended = ended ~= '' and ended or nil,
    flags = flags or '', location = string.sub(rest, start, start + length - 1), acl = string.sub(rest, start + length),
  }
end

local function pack_row(row, version)
  local mark = ''
  if row.state ~= 'A' then
    local flags = row.flags or ''
    mark = ',' .. row.since .. ',' .. row.session
    if row.ended or flags ~= '' then mark = mark .. ',' .. (row.ended or '') end
    if flags ~= '' then mark = mark .. ',' .. flags end
  end
  return row.state .. version .. mark .. ' ' .. #row.location .. ' ' .. row.location .. row.acl
end

local function has_flag(row, flag) return row ~= nil and string.find(row.flags or '', flag, 1, true) ~= nil end

local function count(tree, row, by)
  local holder = server_of(row.location)
  if redis.call('HINCRBY', prefix .. 'server:' .. holder, tree, by) == 0 then redis.call('HDEL', prefix .. 'server:' .. holder, tree) end
  if redis.call('HINCRBY', prefix .. 'servers', holder, by) == 0 then redis.call('HDEL', prefix .. 'servers', holder) end
end

-- A full bucket makes the tree one bucket larger: the rows of one bucket are dealt out anew between it and the new one.
local function grow(tree, buckets)
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

local function tree_is_empty(tree, shared)
  local buckets = bucket_count(tree, shared)
  for bucket = 0, buckets - 1 do
    if redis.call('EXISTS', bucket_key(tree, bucket)) == 1 then return false end
  end
  return true
end

-- `place` is where the name lies: {name, tree, field, shared}.
local function store(place, row, next, version)
  local tree, field, shared = place.tree, place.field, place.shared
  local key = row_key(tree, field, shared)
  if row then count(tree, row, -1) end
  if next then
    count(tree, next, 1)
    redis.call('HSET', key, field, pack_row(next, version))
    redis.call('ZADD', prefix .. 'trees', 0, tree)
    if shared and redis.call('HLEN', key) > bucket_rows then grow(tree, bucket_count(tree, shared)) end
  else
    redis.call('HDEL', key, field)
    if tree_is_empty(tree, shared) then
      redis.call('ZREM', prefix .. 'trees', tree)
      redis.call('HDEL', prefix .. 'buckets', tree)
    end
  end
end

local function append(place, row, next, mark)
  local head = redis.call('HMGET', prefix .. 'head', 'seq', 'nonce')
  local seq = string.format('%.0f', tonumber(head[1] or '0') + 1)
  redis.call('XADD', prefix .. 'log', 'MAXLEN', '~', mark.log_length, seq .. '-0',
    'n', place.name, 's', next and next.state or 'X', 'l', next and next.location or '', 'a', next and next.acl or '',
    'f', row and row.location or '', 'w', mark.session, 'b', mark.by, 'c', mark.cause, 't', mark.now,
    'k', mark.nonce, 'p', head[2] or '')
  redis.call('HSET', prefix .. 'head', 'seq', seq, 'nonce', mark.nonce)
  return seq
end

-- A logged change: the row after it, everywhere it is noted.
local function change(place, row, next, mark)
  local seq = append(place, row, next, mark)
  store(place, row, next, seq)
  return seq
end

-- A change that readers need not hear of.
local function rewrite(place, next)
  redis.call('HSET', row_key(place.tree, place.field, place.shared), place.field, pack_row(next, next.version))
end

local function row_of(place)
  local packed = redis.call('HGET', row_key(place.tree, place.field, place.shared), place.field)
  return packed and unpack_row(packed) or nil, packed
end

-- Rows that wait for their session's end are noted by session; `sessions` has those that have any.
local function is_pending(row, session)
  return row ~= nil and string.find('CHT', row.state, 1, true) ~= nil and row.session == session and not row.ended
end

local function note_pending(session, name)
  redis.call('SADD', prefix .. 'pending:' .. session, name)
  redis.call('SADD', prefix .. 'sessions', session)
end

-- What was deleted a short while ago: a tombstone that is kept aside for lookups until its grace is over.
local function bury(name, row, now, grace)
  local left = tonumber(grace) - (tonumber(now) - tonumber(row.since))
  if left <= 0 then return end
  row.ended, row.flags = now, ''
  redis.call('SET', prefix .. 'grave:' .. name, pack_row(row, row.version), 'PX', string.format('%.0f', left))
end
