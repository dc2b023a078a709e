-- redrive: put one dead letter back: a message to the end of its inbox, a delivery into its lane.
--
-- KEYS  1 head  2 inbox  3 effects  4 queue  5 due  6 recent  7 shelf of no status  8 people  9 flows  10 log
--       11 state  12 receipts  13 dead  14 letters' bodies  15 letters
-- ARGV  1 letter  2 ref  3 due ref  4 flow  5 most waiting  6 digest of the message's id (8 bytes)
-- gives OK | NONE: unknown, the inbox is full, or the same message waits there again | OVER: run end.lua, come again
-- writes the letter (gone), inbox or effects, head, due; of a new conversation also recent, shelf, people, flows.
-- cost  O(waiting), bounded.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local letter = redis.call('HMGET', KEYS[14], 'm' .. ARGV[1], 'p' .. ARGV[1])
if not letter[1] then return {'NONE'} end
local m = cmsgpack.unpack(letter[1])
local f = redis.call('HMGET', KEYS[1], 'q', 'n', 'c', 'x', 'ou', 'ot', 'o', 'd', 'y', 'g', 'ro')
local pending, created = f[1] or '', tonumber(f[3] or 0)
local ready, owner, deadline = tonumber(f[9] or 0), f[7] or '', tonumber(f[8] or 0)
local lane = {o = KEYS[3], q = KEYS[4], due = KEYS[5], ref = ARGV[3], n = tonumber(f[5] or 0), timers = tonumber(f[6] or 0)}
--@ effects
local is_message = m[3] == ''
if is_message then
  if #pending / 14 >= tonumber(ARGV[5]) then return {'NONE'} end
  for at = 1, #pending, 14 do
    if string.sub(pending, at, at + 7) == ARGV[6] then return {'NONE'} end
  end
end
if created > 0 and f[4] and f[4] ~= '' and tonumber(f[4]) <= now and pending == '' and lane.n == 0 then return {'OVER'} end
local seq = tonumber(f[2] or 1)
if is_message then
  redis.call('RPUSH', KEYS[2],
    seq .. ' ' .. string.format('%.0f', now) .. ' ' .. #m[2] .. ' ' .. m[2] .. letter[2])
else
  redis.call('HSET', lane.o, 'p' .. m[2], letter[2])
end
redis.call('HDEL', KEYS[14], 'm' .. ARGV[1], 'p' .. ARGV[1])
redis.call('ZREM', KEYS[13], ARGV[1])
redis.call('SREM', KEYS[15], ARGV[1])
redis.call('PERSIST', KEYS[1])
redis.call('PERSIST', KEYS[11])
redis.call('HDEL', KEYS[1], 'T')
if f[11] == '1' then redis.call('PERSIST', KEYS[12]) end
if not f[10] then
  local last = redis.call('LINDEX', KEYS[10], -1)
  redis.call('HSET', KEYS[1], 'g', now, 'l', last and string.match(last, '^%d+') or 0, 'x', now, 'u', 0)
  redis.call('ZADD', KEYS[8], 0, ARGV[2])
  redis.call('SADD', KEYS[9], ARGV[4])
end
if is_message then
  if created == 0 then
    redis.call('HSET', KEYS[1], 'c', now, 'u', now, 'x', '')
    redis.call('ZADD', KEYS[6], now, ARGV[2])
    redis.call('ZADD', KEYS[7], now, ARGV[2])
  end
  pending = pending .. struct.pack('>c8I6', ARGV[6], now)
  redis.call('HSET', KEYS[1], 'q', pending, 'n', seq + 1, 'y', ready)
  local oldest = struct.unpack('>I6', pending, 9)
  redis.call('ZADD', lane.due, math.max(owner ~= '' and deadline or oldest, ready), 'c' .. lane.ref)
else
  local order = redis.call('HINCRBY', KEYS[1], 'en', 1)
  write_entry(m[2], {m[3], order, m[10], now, 0, m[9], 0, m[11], m[8]})
  if m[3] == 'r' then
    redis.call('ZADD', lane.q, order, m[2])
    refresh_replies()
  else
    redis.call('ZADD', lane.due, math.max(now, m[10]), m[3] .. lane.ref .. m[2])
  end
  if m[3] == 't' then
    lane.timers = lane.timers + 1
    if m[8] ~= '' then name_timer(m[8], m[2]) end
  end
  redis.call('HSET', KEYS[1], 'ou', lane.n + 1, 'ot', lane.timers, 'c', created)
end
return {'OK'}
