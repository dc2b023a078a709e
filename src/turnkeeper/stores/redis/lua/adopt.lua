-- adopt: rebuild a head that the server evicted from the envelope of the state that it left.
--
-- KEYS  1 head  2 state  3 shelf of no status  4 shelf of the status  5 tick  6 planned
-- ARGV  1 token  2 fence of the envelope  3 version  4 generation  5 commit_id  6 status  7 member  8 ref
-- gives OK fence created | NONE: not held, or the conversation has a state | OVER: the state's time was, and it is gone
-- writes shelves, planned, state (no time to live while the turn runs), head. Passes a full memory.
-- cost  O(1). Receipts are lost: a repeated message from before may run again.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
--@ head
--@ ticking
local h = read_head(KEYS[1])
if not h or h[OWNER] == '' or h[OWNER] ~= ARGV[1] or h[VERSION] > 0 then return {'NONE'} end
local left = redis.call('PTTL', KEYS[2])
redis.call('PERSIST', KEYS[1])
h[LOST] = 0
if left >= 0 and left <= 60000 then
  redis.call('UNLINK', KEYS[2])
  write_head(KEYS[1], h)
  return {'OVER'}
end
h[CHANGED] = next_tick(KEYS[5])
h[FENCE] = math.max(h[FENCE], tonumber(ARGV[2]) + 1)
h[VERSION], h[GENERATION], h[COMMIT_ID], h[STATUS] = tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5], ARGV[6]
h[FIRST], h[ACTIVE], h[TOLD] = now, now, h[CHANGED]
if ARGV[6] ~= '' then redis.call('ZREM', KEYS[3], ARGV[7]) end
redis.call('ZADD', KEYS[4], h[CHANGED], ARGV[7])
if left >= 0 then
  h[EXPIRES] = now + left - 60000
  h[PLANNED] = h[EXPIRES]
  redis.call('ZADD', KEYS[6], h[EXPIRES], ARGV[8])
  redis.call('PERSIST', KEYS[2])
end
local fence = h[FENCE]
write_head(KEYS[1], h)
return {'OK', fence, now}
