-- begin: accept a message, take the lease, or both. See ports/turns.py, `Turns.begin`.
--
-- KEYS  1 head  2 inbox  3 due  4 wish  5 state  6 memos  7 receipts  8 answers  9 shelf of no status  10 tick  11 flows
--       12 log  13 planned  14 people
-- ARGV  1 MessagePack values, one behind the other: token, lease_ms, hand_out, mode (queue, reject, interrupt), run,
--       due member, member, ref, is the person's only one, flow, most waiting, window_ms, wait_ms, max_wait_ms; with a
--       message also: 2 digest (8 bytes)  3 "length id payload"
-- gives GRANTED now head opted_out or false {memo, result, ...} {message, ...}; a message is "seq accepted_ms length id
--       payload"
--       QUEUED position ready | DUPLICATE done reply | FULL waiting | BUSY | IDLE ready
--       OVER: the state's time is over; nothing was written, run end.lua and come again
-- writes due, inbox, head; of a new conversation also shelf, flows, people. DUPLICATE: the tick alone.
-- cost  eight commands on the usual path; O(waiting + receipts in the head), both bounded.
--
-- Only accepting starts with a command that a full memory refuses (ZADD); taking over starts with PERSIST. What can
-- meet a key of another type comes first: an entry in `due` too many is looked at and removed. Functions stand where
-- they are needed: making one costs as much as a small command.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
--@ head
local token, lease, hand_out, mode, run, due_member, member, ref, is_only, flow, most, window, wait, max_wait =
  cmsgpack.unpack(ARGV[1])
local digest = ARGV[2]
local h = read_head(KEYS[1])
local known = h ~= nil
if not known then
--@ birth
  h = new_head()
end
local waiting = #h[PENDING] / 14
local leased = h[OWNER] ~= '' and h[DEADLINE] > now
local may_run = run and not leased and h[READY] <= now
local repeats = h[OWNER] ~= '' and h[OWNER] == token -- the grant whose answer was lost
local comes_new = digest and not repeats
if comes_new and (string.find(h[PENDING], digest, 1, true) or string.find(h[RECEIPTS], digest, 1, true)
    or h[HAS_OLDER] == 1) then
--@ ticking
--@ again
  -- When a message of this digest was accepted the last time. Its bytes may also stand across two records.
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
    if not may_run then
      write_again(KEYS[3], KEYS[10])
      return {'DUPLICATE', 0, false}
    end
    comes_new = false
  else
    local seen = accepted(h[RECEIPTS])
    if not seen and h[HAS_OLDER] == 1 then
      local score = redis.call('ZSCORE', KEYS[7], digest)
      if score then seen = math.floor(tonumber(score) / 4096) end
    end
    if seen and seen + window > now then
      write_again(KEYS[3], KEYS[10])
      return {'DUPLICATE', 1, redis.call('HGET', KEYS[8], digest)}
    end
  end
end

local look, element, interrupts
if comes_new then
  if waiting >= most then return {'FULL', waiting} end
  if mode == 'reject' and waiting > 0 then return {'BUSY'} end
  if h[EXPIRES] > 0 and h[EXPIRES] <= now and h[CREATED] > 0 and waiting == 0 and h[EFFECTS] == 0 then return {'OVER'} end
elseif not repeats then
  if waiting == 0 then
    redis.call('ZREM', KEYS[3], due_member)
    return {'IDLE', ''}
  end
  if not may_run then return {'IDLE', math.max(leased and h[DEADLINE] or 0, h[READY])} end
end

-- A key of another type is met before anything is written.
local out = redis.call('HGET', KEYS[4], 'out')
redis.call('STRLEN', KEYS[5])
if comes_new then
  local accepted_ms = time[1] .. string.sub('00000' .. time[2], -6, -4) -- as text, see shared/ticking
  element = h[NEXT_SEQ] .. ' ' .. accepted_ms .. ' ' .. ARGV[3]
  h[NEXT_SEQ] = h[NEXT_SEQ] + 1
  h[PENDING] = h[PENDING] .. struct.pack('>c8I6', digest, now)
  waiting = waiting + 1
  if wait > 0 then
    local first = struct.unpack('>I6', h[PENDING], (leased and h[HANDED] or 0) * 14 + 9)
    h[READY] = math.max(h[READY], math.min(now + wait, first + max_wait))
  end
  interrupts = mode == 'interrupt' and run and leased
  if mode == 'interrupt' and run then h[READY] = 0 end -- it also ends a hold or a back-off
end
local takes = repeats or not comes_new or interrupts or (run and not leased and h[READY] <= now)
local had_memos = h[HAS_MEMOS] == 1
if repeats then
  if now + lease > h[DEADLINE] then
    h[DEADLINE] = now + lease
    look = math.max(h[DEADLINE], h[READY])
  end
elseif takes then
  if interrupts then h[ATTEMPTS], h[ERRORS], h[HAS_MEMOS] = 0, 0, 0 end
  h[OWNER], h[FENCE], h[DEADLINE] = token, math.max(now, h[FENCE] + 1), now + lease
  h[HANDED], h[INTERRUPTED] = math.min(hand_out, waiting), interrupts and 1 or 0
  h[ATTEMPTS] = h[ATTEMPTS] + 1
  look = math.max(h[DEADLINE], h[READY])
else
  look = math.max(h[OWNER] ~= '' and h[DEADLINE] or struct.unpack('>I6', h[PENDING], 9), h[READY])
end

local messages = not comes_new and redis.call('LRANGE', KEYS[2], 0, h[HANDED] - 1)
if not comes_new then
  redis.call('PERSIST', KEYS[1])
elseif not known then
  local last = redis.call('LINDEX', KEYS[12], -1)
  h[LOG_SEQ] = last and tonumber(string.match(last, '^%d+')) or 0
  redis.call('SADD', KEYS[11], flow)
  if not is_only then redis.call('ZADD', KEYS[14], 0, ref) end
  -- A state was kept that nobody forgot (that would be half a millisecond more): the server evicted it.
  local planned = tonumber(redis.call('ZSCORE', KEYS[13], ref) or 0)
  if planned > 0 and planned % 1 == 0 and now < planned + window then h[LOST] = 1 end
end
if comes_new and h[CREATED] == 0 then
--@ ticking
  local tick, tick_text = next_tick(KEYS[10])
  h[CREATED], h[EXPIRES], h[PLANNED], h[CHANGED] = now, 0, 0, tick -- what is planned is the end of the one before
  redis.call('ZADD', KEYS[9], tick_text, member)
end
if look then redis.call('ZADD', KEYS[3], look, due_member) end
if comes_new then
  redis.call('RPUSH', KEYS[2], element)
  messages = waiting == 1 and {element} or takes and redis.call('LRANGE', KEYS[2], 0, h[HANDED] - 1)
  if h[HAS_TTL] == 1 then
    redis.call('PERSIST', KEYS[5])
    if h[HAS_OLDER] == 1 then redis.call('PERSIST', KEYS[7]) end
  end
  if interrupts and had_memos then redis.call('UNLINK', KEYS[6]) end
end
local packed = look and write_head(KEYS[1], h) or pack_head(h)
if not takes then return {'QUEUED', waiting, h[READY]} end
return {'GRANTED', now, packed, out, h[HAS_MEMOS] == 1 and redis.call('HGETALL', KEYS[6]) or {}, messages}
