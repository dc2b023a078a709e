-- begin: accept a message, take the lease, or both. See ports/turns.py, `Turns.begin`.
--
-- KEYS  1 head  2 inbox  3 due  4 wish  5 state  6 memos  7 receipts  8 answers  9 shelf of no status  10 tick  11 flows
--       12 log  13 planned  14 people
-- ARGV  1 MessagePack values, one behind the other: token, lease_ms, hand_out, mode (queue, reject, interrupt), run,
--       due member, member, ref, is the person's only one, flow, most waiting, window_ms, wait_ms, max_wait_ms; with a
--       message also: 2 digest (8 bytes)  3 "length id payload"
-- gives GRANTED now head opted_out or false {memo, result, ...} {message, ...}
--       QUEUED position ready | DUPLICATE done reply | FULL waiting | BUSY | IDLE ready
--       OVER: the state's time is over; nothing was written, run end.lua and come again
-- writes due, inbox, head; of a new conversation also shelf, flows, people. DUPLICATE: the tick alone.
-- cost  seven commands on the usual path; O(waiting + receipts in the head), both bounded.
--
-- Only accepting starts with a command that a full memory refuses (ZADD); taking over starts with PERSIST. What can
-- meet a key of another type comes first: an entry in `due` too many is looked at and removed.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
--@ head
local token, lease, hand_out, mode, run, due_member, member, ref, is_only, flow, most, window, wait, max_wait =
  cmsgpack.unpack(ARGV[1])
local digest = ARGV[2]
local h = read_head(KEYS[1])
local known = h ~= nil
if not h then h = new_head() end
local function granted(packed, out, messages)
  return {'GRANTED', now, packed, out, h[HAS_MEMOS] == 1 and redis.call('HGETALL', KEYS[6]) or {}, messages}
end
local waiting = #h[PENDING] / 14
local leased = h[OWNER] ~= '' and h[DEADLINE] > now

local function messages() return redis.call('LRANGE', KEYS[2], 0, h[HANDED] - 1) end
local function opted_out() return redis.call('HGET', KEYS[4], 'out') end

local function grant(interrupted)
  h[OWNER], h[FENCE], h[DEADLINE] = token, math.max(now, h[FENCE] + 1), now + lease
  h[HANDED], h[INTERRUPTED] = math.min(hand_out, waiting), interrupted
  h[ATTEMPTS] = h[ATTEMPTS] + 1
end

if h[OWNER] ~= '' and h[OWNER] == token then
  local out = opted_out()
  if now + lease > h[DEADLINE] then
    h[DEADLINE] = now + lease
    redis.call('PERSIST', KEYS[1])
    redis.call('ZADD', KEYS[3], math.max(h[DEADLINE], h[READY]), due_member)
    write_head(KEYS[1], h)
  end
  return granted(cmsgpack.pack(h), out, messages())
end

local may_run = run and not leased and h[READY] <= now
local function take_over()
  if waiting == 0 then
    redis.call('ZREM', KEYS[3], due_member)
    return {'IDLE', ''}
  end
  if not may_run then return {'IDLE', math.max(leased and h[DEADLINE] or 0, h[READY])} end
  local out = opted_out()
  grant(0)
  local handed_out = messages()
  redis.call('STRLEN', KEYS[5])
  redis.call('PERSIST', KEYS[1])
  redis.call('ZADD', KEYS[3], math.max(h[DEADLINE], h[READY]), due_member)
  return granted(write_head(KEYS[1], h), out, handed_out)
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
  write_again(KEYS[3], KEYS[10])
  return {'DUPLICATE', 0, false}
end
local seen = accepted(h[RECEIPTS])
if not seen and h[HAS_OLDER] == 1 then
  local score = redis.call('ZSCORE', KEYS[7], digest)
  if score then seen = math.floor(tonumber(score) / 4096) end
end
if seen and seen + window > now then
  write_again(KEYS[3], KEYS[10])
  return {'DUPLICATE', 1, redis.call('HGET', KEYS[8], digest)}
end
if waiting >= most then return {'FULL', waiting} end
if mode == 'reject' and waiting > 0 then return {'BUSY'} end
if h[CREATED] > 0 and h[EXPIRES] > 0 and h[EXPIRES] <= now and waiting == 0 and h[EFFECTS] == 0 then return {'OVER'} end

-- A key of another type is met before anything is written.
local out = opted_out()
redis.call('STRLEN', KEYS[5])
local element = string.format('%.0f %.0f ', h[NEXT_SEQ], now) .. ARGV[3]
h[NEXT_SEQ] = h[NEXT_SEQ] + 1
h[PENDING] = h[PENDING] .. struct.pack('>c8I6', digest, now)
waiting = waiting + 1
if wait > 0 then
  local first = struct.unpack('>I6', h[PENDING], (leased and h[HANDED] or 0) * 14 + 9)
  h[READY] = math.max(h[READY], math.min(now + wait, first + max_wait))
end
local interrupts = leased and mode == 'interrupt' and run
if mode == 'interrupt' and run then h[READY] = 0 end -- it also ends a hold or a back-off
local queued = (leased and not interrupts) or h[READY] > now or not run
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

if not known then
  local last = redis.call('LINDEX', KEYS[12], -1)
  h[LOG_SEQ] = last and tonumber(string.match(last, '^%d+')) or 0
  redis.call('SADD', KEYS[11], flow)
  if not is_only then redis.call('ZADD', KEYS[14], 0, ref) end
  -- A state was kept that nobody forgot (that would be half a millisecond more): the server evicted it.
  local planned = tonumber(redis.call('ZSCORE', KEYS[13], ref) or 0)
  if planned > 0 and planned % 1 == 0 and now < planned + window then h[LOST] = 1 end
end
if h[CREATED] == 0 then
  h[CREATED], h[EXPIRES], h[CHANGED] = now, 0, next_tick(KEYS[10])
  redis.call('ZADD', KEYS[9], h[CHANGED], member)
end
redis.call('ZADD', KEYS[3], look, due_member)
redis.call('RPUSH', KEYS[2], element)
if h[HAS_TTL] == 1 then
  redis.call('PERSIST', KEYS[5])
  if h[HAS_OLDER] == 1 then redis.call('PERSIST', KEYS[7]) end
end
if forgets and had_memos then redis.call('UNLINK', KEYS[6]) end
local packed = write_head(KEYS[1], h)
if queued then return {'QUEUED', waiting, h[READY]} end
return granted(packed, out, waiting == 1 and {element} or messages())
