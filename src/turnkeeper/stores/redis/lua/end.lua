-- end: forget a state whose time is over, if nothing is in flight. Receipts, answers and log stay their own time.
--
-- KEYS  1 head  2 state  3 gone  4 shelf of the status  5 statuses  6 tick  7 parts  8 planned  9 people
--       10 shelf of no status  11 log  12 letters; then of every part: value, etag
-- ARGV  1 ref  2 member  3 status  4 number of parts  5 window_ms  6 grace_ms; then the parts' ids
-- gives OK {status, ...}, also if it was forgotten before; statuses of the flow only if the server dropped the head of
--       what nobody had forgotten: it is still listed under one of them, run this with each
--       NONE: something is in flight, or its time is not over | AGAIN status {part, ...}: declare these
-- writes catalogue, parts (go after their grace), state (gone), head (next generation).
-- cost  O(parts), bounded by the number that was declared.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
--@ head
--@ ticking
local h = read_head(KEYS[1])
local window, changed = tonumber(ARGV[5]), 0
-- A conversation is listed under one status. One that its head does not know is of a head that the server dropped.
if ARGV[3] ~= '' and not (h and h[STATUS] == ARGV[3]) and redis.call('ZREM', KEYS[4], ARGV[2]) == 1
  and redis.call('HINCRBY', KEYS[5], ARGV[3], -1) <= 0 then redis.call('HDEL', KEYS[5], ARGV[3]) end
if h then
  changed = math.floor(h[CHANGED] / 1000)
  local over = h[EXPIRES] > 0 and h[EXPIRES] <= now
  if h[PENDING] ~= '' or h[EFFECTS] > 0 or not over then
    -- Something is in flight: looked at again later. What is not to end is in no plan.
    redis.call('PERSIST', KEYS[1])
    h[PLANNED] = h[EXPIRES] > 0 and (over and now + window or h[EXPIRES]) or 0
    if h[PLANNED] > 0 then redis.call('ZADD', KEYS[8], h[PLANNED], ARGV[1]) else redis.call('ZREM', KEYS[8], ARGV[1]) end
    local lives = h[HAS_TTL] == 1 and h[EXPIRES] - now + 60000 + window
    write_head(KEYS[1], h, lives)
    return {'NONE'}
  end
end
local is_swept = not h or (h[CREATED] == 0 and math.max(h[EXPIRES], changed) + window <= now)
if h and h[CREATED] == 0 and not is_swept then
  local sweep = math.max(h[EXPIRES], changed) + window
  redis.call('ZADD', KEYS[8], sweep + 0.5, ARGV[1])
  return {'OK', {}}
end
local status = h and h[STATUS] or ARGV[3]
if (not is_swept and status ~= ARGV[3]) or redis.call('ZCARD', KEYS[7]) ~= tonumber(ARGV[4]) then
  return {'AGAIN', status, redis.call('ZRANGE', KEYS[7], 0, -1)}
end
if is_swept then
  -- Nothing of the head counts any more, or the server dropped it, on time or not.
  local planned = not h and redis.call('ZSCORE', KEYS[8], ARGV[1])
  local names = planned and planned % 1 == 0 and redis.call('HKEYS', KEYS[5]) or {}
  redis.call('ZREM', KEYS[8], ARGV[1])
  for part = 1, tonumber(ARGV[4]) do redis.call('UNLINK', KEYS[11 + 2 * part], KEYS[12 + 2 * part]) end
  redis.call('UNLINK', KEYS[1], KEYS[7])
  redis.call('ZREM', KEYS[3], ARGV[2])
  redis.call('ZREM', KEYS[10], ARGV[2])
  local newest = h and h[LOG_KEEP_MS] > 0 and redis.call('LINDEX', KEYS[11], -1)
  if newest then -- the head knew how long and how much; without it the key's own time counts
    if h[LOG_KEEP] > 0 then redis.call('LTRIM', KEYS[11], -h[LOG_KEEP], -1) end
    local lives = tonumber(string.match(newest, '^%d+ (%d+) ')) + h[LOG_KEEP_MS] - now
    if lives <= 0 then redis.call('UNLINK', KEYS[11]) else redis.call('PEXPIRE', KEYS[11], lives) end
  end
  if redis.call('EXISTS', KEYS[11], KEYS[12]) == 0 then
    redis.call('ZREM', KEYS[9], ARGV[1])
  elseif redis.call('ZSCORE', KEYS[9], ARGV[1]) then -- named until its log is gone: looked at once more then
    local left = redis.call('PTTL', KEYS[11])
    if left > 0 then redis.call('ZADD', KEYS[8], now + left + 1000.5, ARGV[1]) end
  end
  return {'OK', names}
end
redis.call('PERSIST', KEYS[1])
local tick = next_tick(KEYS[6])
redis.call('ZADD', KEYS[3], tick, ARGV[2])
redis.call('ZREM', KEYS[4], ARGV[2])
if h[VERSION] > 0 and redis.call('HINCRBY', KEYS[5], ARGV[3], -1) <= 0 then redis.call('HDEL', KEYS[5], ARGV[3]) end
-- Nobody looked for a whole dedup window: the parts have had their grace.
local late = math.max(h[EXPIRES], changed) + window <= now
local grace = tonumber(ARGV[6])
for part = 1, tonumber(ARGV[4]) do
  local value, etag = KEYS[11 + 2 * part], KEYS[12 + 2 * part]
  if late then
    redis.call('UNLINK', value, etag)
  elseif redis.call('EXISTS', etag) == 1 then
    redis.call('HSET', etag, 'x', now + grace)
    redis.call('PEXPIRE', value, grace)
    redis.call('PEXPIRE', etag, grace)
  end
  redis.call('ZADD', KEYS[7], now + grace, ARGV[6 + part])
end
if late then redis.call('UNLINK', KEYS[7]) else redis.call('PEXPIRE', KEYS[7], grace + window) end
redis.call('UNLINK', KEYS[2])
-- The half of a millisecond says that it was forgotten, and not evicted.
redis.call('ZADD', KEYS[8], now + window + 0.5, ARGV[1])
h[GENERATION], h[VERSION], h[STATUS], h[CREATED] = math.max(now, h[GENERATION] + 1), 0, '', 0
h[ACTIVE], h[FIRST], h[EXPIRES], h[PLANNED], h[TOLD], h[LOST] = 0, 0, now, now + window, tick, 0
write_head(KEYS[1], h, window + 60000)
return {'OK', {}}
