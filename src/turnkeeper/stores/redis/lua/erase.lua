-- erase: remove everything of a conversation but the person's opt-out, and count it.
--
-- KEYS  1 head  2 state  3 inbox  4 receipts  5 answers  6 memos  7 effects  8 queue  9 due  10 recent  11 shelf
--       12 statuses  13 feed  14 tick  15 planned  16 log  17 parts  18 dead  19 letters' bodies  20 letters  21 people;
--       then of every part: value, etag
-- ARGV  1 ref  2 due ref  3 status  4 number of parts  5 window_ms
-- gives OK conversations log_entries deliveries parts dead_letters
--       AGAIN status {part, ...}
-- writes all of it. Passes a full memory.
-- cost  O(parts + effects + letters + log): all that is there goes.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local f = redis.call('HMGET', KEYS[1], 's', 'v', 'lk', 'g', 'c')
local status = f[1] or ''
if status ~= ARGV[3] or redis.call('ZCARD', KEYS[17]) ~= tonumber(ARGV[4]) then
  return {'AGAIN', status, redis.call('ZRANGE', KEYS[17], 0, -1)}
end
local kept = 0
for _, entry in ipairs(redis.call('LRANGE', KEYS[16], 0, -1)) do
  local at = tonumber(string.match(entry, '^%d+ %d+ %d+ (%d+) '))
  if not f[3] or at + tonumber(f[3]) > now then kept = kept + 1 end
end
local deliveries = 0
for _, field in ipairs(redis.call('HKEYS', KEYS[7])) do
  if string.sub(field, 1, 1) == 'e' then
    local id = string.sub(field, 2)
    local kind = cmsgpack.unpack(redis.call('HGET', KEYS[7], field))[1]
    deliveries = deliveries + 1
    redis.call('ZREM', KEYS[9], kind .. ARGV[2] .. (kind == 'r' and '' or id))
  end
end
redis.call('ZREM', KEYS[9], 'c' .. ARGV[2])
local letters = redis.call('SMEMBERS', KEYS[20])
for _, id in ipairs(letters) do
  redis.call('HDEL', KEYS[19], 'm' .. id, 'p' .. id)
  redis.call('ZREM', KEYS[18], id)
end
local parts = 0
for part = 1, tonumber(ARGV[4]) do
  local value, etag = KEYS[20 + 2 * part], KEYS[21 + 2 * part]
  local ends = redis.call('HGET', etag, 'x')
  if ends and (ends == '' or tonumber(ends) > now) then parts = parts + 1 end
  redis.call('UNLINK', value, etag)
end
if f[4] then
  if tonumber(f[2] or 0) > 0 and redis.call('HINCRBY', KEYS[12], status, -1) <= 0 then
    redis.call('HDEL', KEYS[12], status)
  end
  local tick = math.max(time[1] * 1000000 + time[2], tonumber(redis.call('GET', KEYS[14]) or 0) + 1)
  redis.call('SET', KEYS[14], string.format('%.0f', tick))
  redis.call('ZADD', KEYS[13], tick, ARGV[1])
  redis.call('ZADD', KEYS[15], now + tonumber(ARGV[5]), ARGV[1])
end
redis.call('ZREM', KEYS[10], ARGV[1])
redis.call('ZREM', KEYS[11], ARGV[1])
redis.call('ZREM', KEYS[21], ARGV[1])
redis.call('UNLINK', KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7], KEYS[8], KEYS[16], KEYS[17], KEYS[20])
return {'OK', f[4] and 1 or 0, kept, deliveries, parts, #letters}
