// What must happen at once in Redis when a run begins, goes on and ends: the scripts of run-store.ts.

/**
 * KEYS = the run of the plan, the run, all runs, then every other key of the run. ARGV = the run that the plan had before, or
 * empty, the new one's id, its text, since.
 */
export const beginScript = `
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
redis.call('SET', KEYS[2], ARGV[3])
redis.call('ZADD', KEYS[3], ARGV[4], ARGV[2])
for i = 4, #KEYS do redis.call('PERSIST', KEYS[i]) end
return 1`;

/**
 * Lets moves begin, unless the run, or what is under way of all runs, is not as it was read any more: 0 then, and nothing has
 * begun. KEYS = the run, the pace, what is under way, the counts, then the line of each move. ARGV = the run's text, the
 * pace's version, octets owed, at, the run's id, then of each move its index and its text.
 */
export const admitScript = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if (redis.call('HGET', KEYS[2], 'version') or '0') ~= ARGV[2] then return 0 end
redis.call('HINCRBY', KEYS[2], 'version', 1)
redis.call('HSET', KEYS[2], 'owed', ARGV[3], 'at', ARGV[4])
for i = 5, #KEYS do
  local index, text = ARGV[2 * i - 4], ARGV[2 * i - 3]
  if redis.call('ZREM', KEYS[i], index) == 1 then
    redis.call('HSET', KEYS[3], ARGV[5] .. ' ' .. index, text)
    redis.call('HINCRBY', KEYS[4], 'waiting', -1)
    redis.call('HINCRBY', KEYS[4], 'moving', 1)
  end
end
return 1`;

/**
 * Notes how a move has ended, once. KEYS = what is under way, the counts, the ends, their log, the failed ones. ARGV = its
 * field and text among what is under way, its index, the end, the state, octets as planned, octets moved, 1 if it has failed.
 */
export const settleScript = `
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('HINCRBY', KEYS[2], 'moving', -1)
redis.call('HINCRBY', KEYS[2], ARGV[5], 1)
redis.call('HINCRBY', KEYS[2], 'passed', ARGV[6])
redis.call('HINCRBY', KEYS[2], 'moved', ARGV[7])
redis.call('HSET', KEYS[3], ARGV[3], ARGV[4])
redis.call('RPUSH', KEYS[4], ARGV[4])
if ARGV[8] == '1' then redis.call('SADD', KEYS[5], ARGV[3]) end
return 1`;

/**
 * Replaces the run as it was read. KEYS = the run, the counts, the run of the plan, then every other key. ARGV = the text
 * before, and after, 1 if nothing may wait or be under way, 1 if nothing may be under way, how long all is kept in
 * seconds, or 0, the run's id: its plan may have another run by now.
 */
export const turnScript = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
local function count(state) return tonumber(redis.call('HGET', KEYS[2], state) or '0') end
if ARGV[3] == '1' and count('waiting') > 0 then return 0 end
if ARGV[4] == '1' and count('moving') > 0 then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
for i = 1, #KEYS do
  if i ~= 3 or redis.call('GET', KEYS[3]) == ARGV[6] then
    if ARGV[5] == '0' then redis.call('PERSIST', KEYS[i]) else redis.call('EXPIRE', KEYS[i], ARGV[5]) end
  end
end
return 1`;

/**
 * Has rows that failed wait again. KEYS = the run, the counts, the ends, the failed ones, then the line of each. ARGV = the
 * run's text, then of each its index, its end as it was read, the state, octets as planned. Gives how many.
 */
export const againScript = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return -1 end
local again = 0
for i = 5, #KEYS do
  local at = 4 * (i - 5) + 2
  local index, text, state, octets = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
  if redis.call('HGET', KEYS[3], index) == text and redis.call('SREM', KEYS[4], index) == 1 then
    redis.call('HDEL', KEYS[3], index)
    redis.call('ZADD', KEYS[i], index, index)
    redis.call('HINCRBY', KEYS[2], state, -1)
    redis.call('HINCRBY', KEYS[2], 'waiting', 1)
    redis.call('HINCRBY', KEYS[2], 'passed', -octets)
    again = again + 1
  end
end
return again`;
