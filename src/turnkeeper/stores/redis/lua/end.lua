-- end: forget a state whose time is over, if nothing is in flight. Receipts, answers and log stay their own time.
--
-- KEYS  1 head  2 state  3 recent  4 shelf of the status  5 statuses  6 feed  7 tick  8 parts  9 planned  10 people
--       11 shelf of no status  12 log  13 letters; then of every part: value, etag
-- ARGV  1 ref  2 status  3 number of parts  4 window_ms  5 grace_ms; then the parts' ids
-- gives OK, also if it was forgotten before | NONE: something is in flight, or its time is not over
--       AGAIN status {part, ...}: declare these
-- writes head (next generation), state (gone), catalogue, parts (go after their grace).
-- cost  O(parts), bounded by the number that was declared.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local tick = time[1] * 1000000 + time[2]
local f = redis.call('HMGET', KEYS[1], 'g', 'c', 'x', 'q', 'ou', 's', 'v', 'u')
local busy = (f[4] or '') ~= '' or tonumber(f[5] or 0) > 0
local over = f[3] and f[3] ~= '' and tonumber(f[3]) <= now
if busy or (f[1] and not over) then
  redis.call('ZREM', KEYS[9], ARGV[1])
  redis.call('HDEL', KEYS[1], 'pl')
  if f[3] and f[3] ~= '' then
    local look = over and now + tonumber(ARGV[4]) or tonumber(f[3])
    redis.call('ZADD', KEYS[9], look, ARGV[1])
    redis.call('HSET', KEYS[1], 'pl', look)
  end
  return {'NONE'}
end
local window = tonumber(ARGV[4])
if not f[1] or (f[2] == '0' and math.max(tonumber(f[3]), tonumber(f[8] or 0)) + window <= now) then
  -- Swept: nothing of the head counts any more, or the server dropped it on time.
  for _, key in ipairs({3, 4, 6, 9, 11}) do redis.call('ZREM', KEYS[key], ARGV[1]) end
  redis.call('UNLINK', KEYS[1], KEYS[8])
  if redis.call('EXISTS', KEYS[12], KEYS[13]) == 0 then redis.call('ZREM', KEYS[10], ARGV[1]) end
  return {'OK'}
end
if f[2] ~= '0' then
  if (f[6] or '') ~= ARGV[2] or redis.call('ZCARD', KEYS[8]) ~= tonumber(ARGV[3]) then
    return {'AGAIN', f[6] or '', redis.call('ZRANGE', KEYS[8], 0, -1)}
  end
  redis.call('HSET', KEYS[1], 'g', math.max(now, tonumber(f[1]) + 1), 'v', 0, 's', '', 'c', 0, 'x', now, 'T', 1)
  redis.call('HDEL', KEYS[1], 't', 'b')
  redis.call('UNLINK', KEYS[2])
  redis.call('ZREM', KEYS[3], ARGV[1])
  redis.call('ZREM', KEYS[4], ARGV[1])
  if tonumber(f[7] or 0) > 0 and redis.call('HINCRBY', KEYS[5], ARGV[2], -1) <= 0 then
    redis.call('HDEL', KEYS[5], ARGV[2])
  end
  tick = math.max(tick, tonumber(redis.call('GET', KEYS[7]) or 0) + 1)
  redis.call('SET', KEYS[7], string.format('%.0f', tick))
  redis.call('ZADD', KEYS[6], tick, ARGV[1])
  -- Nobody looked for a whole dedup window: the parts have had their grace.
  local late = math.max(tonumber(f[3]), tonumber(f[8] or 0)) + window <= now
  local grace = tonumber(ARGV[5])
  for part = 1, tonumber(ARGV[3]) do
    local value, etag = KEYS[12 + 2 * part], KEYS[13 + 2 * part]
    if late then
      redis.call('UNLINK', value, etag)
    elseif redis.call('EXISTS', etag) == 1 then
      redis.call('HSET', etag, 'x', now + grace)
      redis.call('PEXPIRE', value, grace)
      redis.call('PEXPIRE', etag, grace)
    end
    redis.call('ZADD', KEYS[8], now + grace, ARGV[5 + part])
  end
  redis.call('PEXPIRE', KEYS[1], window + 60000)
  if late then redis.call('UNLINK', KEYS[8]) else redis.call('PEXPIRE', KEYS[8], grace + window) end
  f[3], f[8] = now, 0
end
local sweep = math.max(tonumber(f[3]), tonumber(f[8] or 0)) + window
redis.call('ZADD', KEYS[9], sweep, ARGV[1])
redis.call('HSET', KEYS[1], 'pl', sweep)
return {'OK'}
