-- begin: accept a message, take the lease, or both. See ports/turns.py, `Turns.begin`.
--
-- KEYS  1 head  2 inbox  3 receipts  4 answers  5 memos  6 due  7 recent  8 shelf of no status  9 wish  10 state
--       11 people  12 flows  13 log  14 planned
-- ARGV  1 token  2 lease_ms  3 hand_out  4 mode (queue, reject, interrupt)  5 run (0, 1)  6 ref  7 due member  8 flow
--       9 most waiting  10 window_ms; with a message also: 11 digest (8 bytes)  12 id  13 payload  14 wait_ms
--       15 max_wait_ms
-- gives GRANTED now fence version generation lease_until created active attempts errors interrupted opted_out more
--       status {memo, result, ...} {message, ...} head lost (0, 1)
--       QUEUED position ready | DUPLICATE done reply | FULL waiting | BUSY | IDLE ready
--       OVER status {part, ...}: the state's time is over; nothing was written, run end.lua and come again
-- writes head, inbox, due; of a new conversation also recent, shelf, people, flows.
-- cost  one HMGET, three or four writes; O(waiting + receipts in the head), both bounded.
--
-- Only accepting starts with a command that a full memory refuses (RPUSH); taking over starts with PERSIST.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local token, lease, digest = ARGV[1], tonumber(ARGV[2]), ARGV[11]
local f = redis.call('HMGET', KEYS[1], 'o', 'd', 'f', 'v', 'g', 'h', 'z', 'a', 'e', 'y', 'c', 't', 'x', 'q', 'n', 's',
  'T', 'ou', 'mm', 'ro', 'r0', 'r1', 'r2', 'r3', 'r4', 'r5', 'r6', 'r7', 'L')
local function num(i) return tonumber(f[i] or 0) end
local owner, deadline, fence, handed, interrupted = f[1] or '', num(2), num(3), num(6), num(7)
local attempts, errors, ready, created, pending = num(8), num(9), num(10), num(11), f[14] or ''
local known = f[5]
local waiting = #pending / 14
local leased = owner ~= '' and deadline > now

local function granted()
  local memos = {}
  if f[19] == '1' then memos = redis.call('HGETALL', KEYS[5]) end
  local out = redis.call('HGET', KEYS[9], 'out') == '1' and 1 or 0
  return {'GRANTED', now, fence, num(4), num(5), deadline, created, f[12] or '', attempts, errors, interrupted, out,
    waiting - handed, f[16] or '', memos, redis.call('LRANGE', KEYS[2], 0, handed - 1), f[29] == '1' and 1 or 0}
end

local function grant()
  fence = math.max(now, fence + 1)
  deadline = now + lease
  handed = math.min(tonumber(ARGV[3]), waiting)
  attempts = attempts + 1
  redis.call('HSET', KEYS[1], 'o', token, 'f', fence, 'd', deadline, 'h', handed, 'z', interrupted, 'a', attempts,
    'e', errors)
  redis.call('ZADD', KEYS[6], math.max(deadline, ready), ARGV[7])
  return granted()
end

if owner ~= '' and owner == token then
  if now + lease > deadline then
    deadline = now + lease
    redis.call('PERSIST', KEYS[1])
    redis.call('HSET', KEYS[1], 'd', deadline)
    redis.call('ZADD', KEYS[6], math.max(deadline, ready), ARGV[7])
  end
  return granted()
end

local may_run = ARGV[5] == '1' and not leased and ready <= now
local function take_over()
  if waiting == 0 then return {'IDLE', ''} end
  if not may_run then return {'IDLE', math.max(leased and deadline or 0, ready)} end
  redis.call('PERSIST', KEYS[1])
  interrupted = 0
  return grant()
end

if not digest then return take_over() end

for at = 1, #pending, 14 do
  if string.sub(pending, at, at + 7) == digest then
    if may_run then return take_over() end
    return {'DUPLICATE', 0, false}
  end
end
local seen = -1
for block = 21, 28 do
  local receipts = f[block] or ''
  for at = 1, #receipts, 14 do
    if string.sub(receipts, at, at + 7) == digest then
      seen = math.max(seen, (struct.unpack('>I6', receipts, at + 8)))
    end
  end
end
if seen < 0 and f[20] == '1' then
  local score = redis.call('ZSCORE', KEYS[3], digest)
  if score then seen = math.floor(tonumber(score) / 4096) end
end
if seen >= 0 and seen + tonumber(ARGV[10]) > now then
  return {'DUPLICATE', 1, redis.call('HGET', KEYS[4], digest)}
end
if waiting >= tonumber(ARGV[9]) then return {'FULL', waiting} end
if ARGV[4] == 'reject' and waiting > 0 then return {'BUSY'} end
if created > 0 and f[13] and f[13] ~= '' and tonumber(f[13]) <= now and waiting == 0 and num(18) == 0 then
  return {'OVER'}
end

local seq = f[15] and tonumber(f[15]) or 1
redis.call('RPUSH', KEYS[2], seq .. ' ' .. string.format('%.0f', now) .. ' ' .. #ARGV[12] .. ' ' .. ARGV[12] .. ARGV[13])
if f[17] == '1' then
  redis.call('PERSIST', KEYS[1])
  redis.call('PERSIST', KEYS[10])
  redis.call('HDEL', KEYS[1], 'T')
  if f[20] == '1' then redis.call('PERSIST', KEYS[3]) end
end
pending = pending .. struct.pack('>c8I6', digest, now)
waiting = waiting + 1
if not known then
  f[5] = now
  local last = redis.call('LINDEX', KEYS[13], -1)
  redis.call('HSET', KEYS[1], 'g', now, 'l', last and string.match(last, '^%d+') or 0)
  redis.call('ZADD', KEYS[11], 0, ARGV[6])
  redis.call('SADD', KEYS[12], ARGV[8])
end
if created == 0 then
  created = now
  redis.call('HSET', KEYS[1], 'c', now, 'u', now, 'x', '')
  if redis.call('ZADD', KEYS[7], now, ARGV[6]) == 0 and not known then
    -- Listed, and its head is gone long before its time: the server evicted it.
    local planned = redis.call('ZSCORE', KEYS[14], ARGV[6])
    if planned and now < tonumber(planned) + tonumber(ARGV[10]) then
      f[29] = '1'
      redis.call('HSET', KEYS[1], 'L', 1)
    end
  end
  redis.call('ZADD', KEYS[8], now, ARGV[6])
end
local hold = tonumber(ARGV[14])
if hold > 0 then
  local first = struct.unpack('>I6', pending, (leased and handed or 0) * 14 + 9)
  ready = math.max(ready, math.min(now + hold, first + tonumber(ARGV[15])))
end
if ARGV[4] == 'interrupt' and ARGV[5] == '1' then ready = 0 end -- it also ends a hold or a back-off
redis.call('HSET', KEYS[1], 'q', pending, 'n', seq + 1, 'y', ready)
local interrupts = leased and ARGV[4] == 'interrupt'
if (leased and not interrupts) or ready > now or ARGV[5] == '0' then
  local oldest = struct.unpack('>I6', pending, 9)
  local look = math.max(owner ~= '' and deadline or oldest, ready)
  redis.call('ZADD', KEYS[6], look, ARGV[7])
  return {'QUEUED', waiting, ready}
end
interrupted = interrupts and 1 or 0
if interrupts then
  attempts, errors = 0, 0
  if f[19] == '1' then
    redis.call('DEL', KEYS[5])
    redis.call('HDEL', KEYS[1], 'mm')
    f[19] = false
  end
end
return grant()
