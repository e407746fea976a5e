-- Takes back a write that was carried out and could not be made durable, unless something else has been written to the name
-- since: what it has closed or made doubtful is to be looked into. Follows rows.lua, store.lua and cases.lua.
-- ARGV[2..5] = name, tree, field, shared, ARGV[6] = the number of the change to take back, ARGV[7] = the row before it, packed,
-- or empty, ARGV[8] = session, ARGV[9] = whose, ARGV[10] = now, ARGV[11] = a nonce, ARGV[12] = the log's length.
local place = { name = ARGV[2], tree = ARGV[3], field = ARGV[4], shared = ARGV[5] == '1' }
ring(place.name, reasons.undone, ARGV[8], ARGV[10])
local row = row_of(place)
local entry = redis.call('XRANGE', prefix .. 'log', ARGV[6] .. '-0', ARGV[6] .. '-0')[1]
local ours = entry ~= nil and entry[2][2] == place.name
if row and row.version ~= ARGV[6] or not row and not ours then return '0' end
local prior = ARGV[7] ~= '' and unpack_row(ARGV[7]) or nil
change(place, row, prior, { session = ARGV[8], by = ARGV[9], cause = 'undo', now = ARGV[10], nonce = ARGV[11], log_length = ARGV[12] })
if is_pending(prior, prior and prior.session or '') then note_pending(prior.session, place.name) end
return '1'
