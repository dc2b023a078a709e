-- redrive: put one dead letter back: a message to the end of its inbox, a delivery into its lane.
--
-- KEYS  1 head  2 inbox  3 effects  4 due  5 shelf of no status  6 tick  7 people  8 flows  9 log  10 state
--       11 receipts  12 dead  13 letters' bodies  14 letters
-- ARGV  1 letter  2 ref  3 member  4 due ref  5 is the person's only one (0, 1)  6 flow  7 most waiting
--       8 digest of the message's id (8 bytes)
-- gives OK | NONE: unknown, the inbox is full, or the same message waits there again | OVER: run end.lua, come again
-- writes the letter (gone), due, inbox or effects, head; of a new conversation also shelf, people, flows.
-- cost  O(waiting), bounded.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
--@ head
--@ birth
--@ ticking
local letter = redis.call('HMGET', KEYS[13], 'm' .. ARGV[1], 'p' .. ARGV[1])
if not letter[1] then return {'NONE'} end
local m = cmsgpack.unpack(letter[1])
local h = read_head(KEYS[1])
local known = h ~= nil
if not h then h = new_head() end
local lane = {o = KEYS[3], due = KEYS[4], ref = ARGV[4]}
--@ effects
local is_message, waiting = m[3] == '', #h[PENDING] / 14
if is_message then
  if waiting >= tonumber(ARGV[7]) then return {'NONE'} end
  for at = 1, #h[PENDING], 14 do
    if string.sub(h[PENDING], at, at + 7) == ARGV[8] then return {'NONE'} end
  end
end
if h[CREATED] > 0 and h[EXPIRES] > 0 and h[EXPIRES] <= now and waiting == 0 and h[EFFECTS] == 0 then return {'OVER'} end
if is_message then
  h[PENDING] = h[PENDING] .. struct.pack('>c8I6', ARGV[8], now)
  local oldest = struct.unpack('>I6', h[PENDING], 9)
  redis.call('ZADD', lane.due, math.max(h[OWNER] ~= '' and h[DEADLINE] or oldest, h[READY]), 'c' .. lane.ref)
  redis.call('RPUSH', KEYS[2], string.format('%.0f %.0f %.0f ', h[NEXT_SEQ], now, #m[2]) .. m[2] .. letter[2])
  h[NEXT_SEQ] = h[NEXT_SEQ] + 1
else
  h[ORDER], h[EFFECTS] = h[ORDER] + 1, h[EFFECTS] + 1
  local entry = cmsgpack.pack({m[3], h[ORDER], m[10], now, 0, m[9], 0, m[11], m[8]})
  redis.call('HSET', lane.o, 'e' .. m[2], entry, 'p' .. m[2], letter[2])
  if m[3] == 'r' then
    if h[REPLIES] == 0 then h[FIRST_REPLY] = h[ORDER] end
    h[REPLIES] = h[REPLIES] + 1
    redis.call('HSET', lane.o, 'r' .. h[ORDER], m[2])
    refresh_replies()
  else
    redis.call('ZADD', lane.due, math.max(now, m[10]), m[3] .. lane.ref .. m[2])
  end
  if m[3] == 't' then
    h[TIMERS] = h[TIMERS] + 1
    if m[8] ~= '' then name_timer(m[8], m[2]) end
  end
end
redis.call('HDEL', KEYS[13], 'm' .. ARGV[1], 'p' .. ARGV[1])
redis.call('ZREM', KEYS[12], ARGV[1])
redis.call('SREM', KEYS[14], ARGV[1])
redis.call('PERSIST', KEYS[10])
if h[HAS_OLDER] == 1 then redis.call('PERSIST', KEYS[11]) end
if not known then
  local last = redis.call('LINDEX', KEYS[9], -1)
  h[LOG_SEQ], h[EXPIRES] = last and tonumber(string.match(last, '^%d+')) or 0, now
  redis.call('SADD', KEYS[8], ARGV[6])
  if ARGV[5] == '0' then redis.call('ZADD', KEYS[7], 0, ARGV[2]) end
end
if is_message and h[CREATED] == 0 then
  h[CREATED], h[EXPIRES], h[PLANNED], h[CHANGED] = now, 0, 0, next_tick(KEYS[6])
  redis.call('ZADD', KEYS[5], h[CHANGED], ARGV[3])
end
write_head(KEYS[1], h)
return {'OK'}
