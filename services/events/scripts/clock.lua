-- What the scripts share that measure by Redis' clock. ARGV[1] = prefix, ARGV[2] = a time in milliseconds: how long a hold is, or more.
local prefix = ARGV[1]
local waiting, due = prefix .. 'waiting', prefix .. 'due'

-- Redis' own time, in milliseconds: the workers' clocks differ.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- No pause and no hold is as long as that, in milliseconds: what is later was written before the clock was set back, and is due now.
local longest = math.max(600000, 2 * ARGV[2])
local beyond = '(' .. string.format('%.0f', now + longest)
