-- begin: accept a message, take the lease, or both. See ports/turns.py, `Turns.begin`.
--
-- KEYS  1 head  2 inbox  3 due  4 wish  5 state  6 memos  7 receipts  8 answers  9 shelf of no status  10 tick  11 flows
--       12 log  13 planned  14 people
-- ARGV  1 token  2 lease_ms  3 hand_out  4 mode (queue, reject, interrupt)  5 run (0, 1)  6 due member  7 member
--       8 ref  9 is the person's only one (0, 1)  10 flow  11 most waiting  12 window_ms; with a message also:
--       13 digest (8 bytes)  14 "length id payload"  15 wait_ms  16 max_wait_ms
-- gives GRANTED now fence version generation lease_until created active attempts errors interrupted opted_out more
--       status {memo, result, ...} {message, ...} lost (0, 1)
--       QUEUED position ready | DUPLICATE done reply | FULL waiting | BUSY | IDLE ready
--       OVER: the state's time is over; nothing was written, run end.lua and come again
-- writes due, inbox, head; of a new conversation also shelf, flows, people.
-- cost  seven commands on the usual path; O(waiting + receipts in the head), both bounded.
--
-- Only accepting starts with a command that a full memory refuses (ZADD); taking over starts with PERSIST. What can
-- meet a key of another type comes first: an entry in `due` too many is looked at and removed.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
--@ head
local token, lease, digest = ARGV[1], tonumber(ARGV[2]), ARGV[13]
local h = read_head(KEYS[1])
local known = h ~= nil
if not h then h = new_head() end
--@ granting
local waiting = #h[PENDING] / 14
local leased = h[OWNER] ~= '' and h[DEADLINE] > now

local function messages() return redis.call('LRANGE', KEYS[2], 0, h[HANDED] - 1) end
local function opted_out() return redis.call('HGET', KEYS[4], 'out') end

local function grant(interrupted)
  h[OWNER], h[FENCE], h[DEADLINE] = token, math.max(now, h[FENCE] + 1), now + lease
  h[HANDED], h[INTERRUPTED] = math.min(tonumber(ARGV[3]), waiting), interrupted
  h[ATTEMPTS] = h[ATTEMPTS] + 1
end

if h[OWNER] ~= '' and h[OWNER] == token then
  local out = opted_out()
  if now + lease > h[DEADLINE] then
    h[DEADLINE] = now + lease
    redis.call('PERSIST', KEYS[1])
    redis.call('ZADD', KEYS[3], math.max(h[DEADLINE], h[READY]), ARGV[6])
    write_head(KEYS[1], h)
  end
  return granted(KEYS[6], out, messages())
end

local may_run = ARGV[5] == '1' and not leased and h[READY] <= now
local function take_over()
  if waiting == 0 then
    redis.call('ZREM', KEYS[3], ARGV[6])
    return {'IDLE', ''}
  end
  if not may_run then return {'IDLE', math.max(leased and h[DEADLINE] or 0, h[READY])} end
  local out = opted_out()
  grant(0)
  local handed_out = messages()
  redis.call('STRLEN', KEYS[5])
  redis.call('PERSIST', KEYS[1])
  redis.call('ZADD', KEYS[3], math.max(h[DEADLINE], h[READY]), ARGV[6])
  write_head(KEYS[1], h)
  return granted(KEYS[6], out, handed_out)
end

if not digest then return take_over() end

-- When a message of this digest was accepted the last time.
local function accepted(records)
  local seen
  local at = string.find(records, digest, 1, true)
  for _ = 1, #records do
    if not at then break end
    if (at - 1) % 14 == 0 then seen = math.max(seen or 0, (struct.unpack('>I6', records, at + 8))) end
    at = string.find(records, digest, at + 1, true)
  end
  return seen
end
if accepted(h[PENDING]) then
  if may_run then return take_over() end
  return {'DUPLICATE', 0, false}
end
local seen = accepted(h[RECEIPTS])
if not seen and h[HAS_OLDER] == 1 then
  local score = redis.call('ZSCORE', KEYS[7], digest)
  if score then seen = math.floor(tonumber(score) / 4096) end
end
if seen and seen + tonumber(ARGV[12]) > now then return {'DUPLICATE', 1, redis.call('HGET', KEYS[8], digest)} end
if waiting >= tonumber(ARGV[11]) then return {'FULL', waiting} end
if ARGV[4] == 'reject' and waiting > 0 then return {'BUSY'} end
if h[CREATED] > 0 and h[EXPIRES] > 0 and h[EXPIRES] <= now and waiting == 0 and h[EFFECTS] == 0 then return {'OVER'} end

-- A key of another type is met before anything is written.
local out = opted_out()
redis.call('STRLEN', KEYS[5])
local element = string.format('%.0f %.0f ', h[NEXT_SEQ], now) .. ARGV[14]
h[NEXT_SEQ] = h[NEXT_SEQ] + 1
h[PENDING] = h[PENDING] .. struct.pack('>c8I6', digest, now)
waiting = waiting + 1
if tonumber(ARGV[15]) > 0 then
  local first = struct.unpack('>I6', h[PENDING], (leased and h[HANDED] or 0) * 14 + 9)
  h[READY] = math.max(h[READY], math.min(now + tonumber(ARGV[15]), first + tonumber(ARGV[16])))
end
local interrupts = leased and ARGV[4] == 'interrupt' and ARGV[5] == '1'
if ARGV[4] == 'interrupt' and ARGV[5] == '1' then h[READY] = 0 end -- it also ends a hold or a back-off
local queued = (leased and not interrupts) or h[READY] > now or ARGV[5] == '0'
local forgets = not queued and interrupts
local had_memos = h[HAS_MEMOS] == 1
if forgets then h[ATTEMPTS], h[ERRORS], h[HAS_MEMOS] = 0, 0, 0 end
local look
if queued then
  look = math.max(h[OWNER] ~= '' and h[DEADLINE] or struct.unpack('>I6', h[PENDING], 9), h[READY])
else
  grant(interrupts and 1 or 0)
  look = math.max(h[DEADLINE], h[READY])
end

redis.call('ZADD', KEYS[3], look, ARGV[6])
redis.call('RPUSH', KEYS[2], element)
if h[HAS_TTL] == 1 then
  redis.call('PERSIST', KEYS[5])
  if h[HAS_OLDER] == 1 then redis.call('PERSIST', KEYS[7]) end
end
if forgets and had_memos then redis.call('UNLINK', KEYS[6]) end
if not known then
  local last = redis.call('LINDEX', KEYS[12], -1)
  h[LOG_SEQ] = last and tonumber(string.match(last, '^%d+')) or 0
  redis.call('SADD', KEYS[11], ARGV[10])
  if ARGV[9] == '0' then redis.call('ZADD', KEYS[14], 0, ARGV[8]) end
  -- A state was kept that nobody forgot (that would be half a millisecond more): the server evicted it.
  local planned = tonumber(redis.call('ZSCORE', KEYS[13], ARGV[8]) or 0)
  if planned > 0 and planned % 1 == 0 and now < planned + tonumber(ARGV[12]) then h[LOST] = 1 end
end
if h[CREATED] == 0 then
  h[CREATED], h[EXPIRES], h[CHANGED] = now, 0, next_tick(KEYS[10])
  redis.call('ZADD', KEYS[9], h[CHANGED], ARGV[7])
end
write_head(KEYS[1], h)
if queued then return {'QUEUED', waiting, h[READY]} end
return granted(KEYS[6], out, waiting == 1 and {element} or messages())
