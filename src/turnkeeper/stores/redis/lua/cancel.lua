-- cancel: remove effects by id or timer name that nobody's claim covers.
--
-- KEYS  1 head  2 state  3 effects  4 queue  5 due  6 receipts  7 planned
-- ARGV  1 due ref  2 window_ms; then the names
-- gives OK removed
-- writes effects, due, head; a time to live once nothing is in flight. Passes a full memory.
-- cost  O(names), bounded by the ports.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local f = redis.call('HMGET', KEYS[1], 'ou', 'ot', 'q', 'x', 'v', 'ro')
local lane = {o = KEYS[3], q = KEYS[4], due = KEYS[5], ref = ARGV[1], n = tonumber(f[1] or 0), timers = tonumber(f[2] or 0)}
local rest = {state = KEYS[2], receipts = KEYS[6], planned = KEYS[7], window = tonumber(ARGV[2])}
--@ effects
if lane.n == 0 then return {'OK', 0} end
redis.call('PERSIST', KEYS[1])
local removed, replies = 0, false
for at = 3, #ARGV do
  for _, id in ipairs(meant(ARGV[at])) do
    local entry = entry_of(id)
    if entry and not is_claimed(id, entry, now) then
      remove_entry(id, entry)
      removed = removed + 1
      replies = replies or entry[1] == 'r'
    end
  end
end
if replies then refresh_replies() end
redis.call('HSET', KEYS[1], 'ou', lane.n, 'ot', lane.timers)
--@ resting
return {'OK', removed}
