-- The history of a shard, for whoever knows a place in it: ARGV[1] = prefix, ARGV[2] = the number of that change. Returns meta and
-- head, the nonce of that change (empty where the log does not hold it), and the number of the first change that the log holds.
local entry = redis.call('XRANGE', prefix .. 'log', ARGV[2] .. '-0', ARGV[2] .. '-0')[1]
local nonce = ''
if entry then
  for i = 1, #entry[2], 2 do
    if entry[2][i] == 'k' then nonce = entry[2][i + 1] end
  end
end
local first = redis.call('XRANGE', prefix .. 'log', '-', '+', 'COUNT', 1)[1]
local meta = redis.call('HGETALL', prefix .. 'meta')
for _, word in ipairs(redis.call('HGETALL', prefix .. 'head')) do meta[#meta + 1] = word end
return { meta, nonce, first and string.match(first[1], '^%d+') or '' }
