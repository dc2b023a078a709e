-- cancel: remove effects by id or timer name that nobody's claim covers.
--
-- KEYS  1 head  2 state  3 effects  4 due  5 receipts  6 planned
-- ARGV  1 ref  2 due ref  3 window_ms; then the names
-- gives OK removed
-- writes effects, due; head, with a time to live once nothing is in flight. Passes a full memory.
-- cost  O(names), bounded by the ports.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
--@ head
local h = read_head(KEYS[1])
if not h or h[EFFECTS] == 0 then return {'OK', 0} end
local lane = {o = KEYS[3], due = KEYS[4], ref = ARGV[2]}
--@ effects
redis.call('PERSIST', KEYS[1])
local removed, replies = 0, h[REPLIES]
for at = 4, #ARGV do removed = removed + cancel(ARGV[at], true) end
if h[REPLIES] < replies then refresh_replies() end
local keys, ref, window = {head = KEYS[1], state = KEYS[2], receipts = KEYS[5], planned = KEYS[6]}, ARGV[1], tonumber(ARGV[3])
--@ resting
return {'OK', removed}
