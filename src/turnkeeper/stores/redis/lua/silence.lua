-- silence: cancel everything of one conversation that is not handed out, on behalf of a turn that is about to commit.
--
-- KEYS  1 head  2 state  3 effects  4 queue  5 due  6 receipts  7 head of the committing conversation
--       8 planned
-- ARGV  1 due ref  2 token  3 fence  4 version  5 generation  6 commit_id  7 most effects of one call
--       8 window_ms
-- gives OK removed left (0, 1: call again) | FENCED: that turn cannot commit, or has; nothing was written
-- writes effects, due, head; a time to live once nothing is in flight. Passes a full memory.
-- cost  O(effects), at most ARGV[7] of them.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local g = redis.call('HMGET', KEYS[7], 'o', 'f', 'v', 'g', 'k')
if g[1] ~= ARGV[2] or g[2] ~= ARGV[3] or (g[3] or '0') ~= ARGV[4] or g[4] ~= ARGV[5] or g[5] == ARGV[6] then return {'FENCED'} end
local f = redis.call('HMGET', KEYS[1], 'ou', 'ot', 'q', 'x', 'v', 'ro')
local lane = {o = KEYS[3], q = KEYS[4], due = KEYS[5], ref = ARGV[1], n = tonumber(f[1] or 0), timers = tonumber(f[2] or 0)}
local rest = {state = KEYS[2], receipts = KEYS[6], planned = KEYS[8], window = tonumber(ARGV[8])}
--@ effects
if lane.n == 0 then return {'OK', 0, 0} end
redis.call('PERSIST', KEYS[1])
local removed, left = 0, 0
for _, field in ipairs(redis.call('HKEYS', lane.o)) do
  if string.sub(field, 1, 1) == 'e' then
    local id = string.sub(field, 2)
    local entry = entry_of(id)
    if not is_claimed(id, entry, now) then
      if removed == tonumber(ARGV[7]) then
        left = 1
        break
      end
      remove_entry(id, entry)
      removed = removed + 1
    end
  end
end
refresh_replies()
redis.call('HSET', KEYS[1], 'ou', lane.n, 'ot', lane.timers)
--@ resting
return {'OK', removed, left}
