-- Rows and where they lie: shared by every script that reads or writes them. `prefix` is the shard's key prefix.

-- The hash of a bucket: the tree's own key, or bucket:<n>:<tree>.
local function bucket_key(tree, bucket)
  if bucket == 0 then return prefix .. 'tree:' .. tree end
  return prefix .. 'bucket:' .. bucket .. ':' .. tree
end

-- How many buckets a tree has: one, but for a large shared tree.
local function bucket_count(tree, shared)
  if not shared then return 1 end
  return tonumber(redis.call('HGET', prefix .. 'buckets', tree) or '1')
end

-- Linear hashing: with n buckets, where level is the largest power of two not above n, a name's bucket is its hash
-- modulo 2*level, or modulo level if that bucket is not there yet.
local function bucket_of(tree, field, count)
  if count == 1 then return 0 end
  local hash = tonumber(string.sub(redis.sha1hex(tree .. '\0' .. field), 1, 8), 16)
  local level = 1
  while level * 2 <= count do level = level * 2 end
  local bucket = hash % (level * 2)
  if bucket >= count then bucket = hash % level end
  return bucket
end

local function row_key(tree, field, shared)
  return bucket_key(tree, bucket_of(tree, field, bucket_count(tree, shared)))
end
