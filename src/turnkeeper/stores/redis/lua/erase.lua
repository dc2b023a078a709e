-- erase: remove everything of a conversation but the person's opt-out, and count it; a long one in several calls.
--
-- KEYS  1 head  2 state  3 inbox  4 receipts  5 answers  6 memos  7 effects  8 due  9 gone  10 shelf of the status
--       11 statuses  12 tick  13 planned  14 log  15 parts  16 dead  17 letters' bodies  18 letters  19 people
--       20 wish;
--       then of every part: value, etag
-- ARGV  1 ref  2 member  3 due ref  4 status  5 number of parts  6 window_ms  7 most effects and letters of one call
--       8 mark of what is to be erased, or ''  9 cursor of the effects: 0, or that of the call before
-- gives OK conversations log_entries deliveries parts dead_letters | MORE deliveries dead_letters cursor: call again
--       AGAIN status {part, ...} | CHANGED: it is not what the mark stands for, nothing was written
-- writes all of it. The first call fences a running turn off. Passes a full memory.
-- cost  O(parts + log), and of effects and letters ARGV[7] each.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
--@ head
--@ ticking
local h = read_head(KEYS[1])
local status = h and h[STATUS] or ''
if status ~= ARGV[4] or redis.call('ZCARD', KEYS[15]) ~= tonumber(ARGV[5]) then
  return {'AGAIN', status, redis.call('ZRANGE', KEYS[15], 0, -1)}
end
--@ marking
if h and ARGV[8] ~= '' and ARGV[8] ~= mark_of({head = KEYS[1], state = KEYS[2], inbox = KEYS[3], receipts = KEYS[4],
  answers = KEYS[5], memos = KEYS[6], effects = KEYS[7], log = KEYS[14], parts = KEYS[15], letters = KEYS[18],
  wish = KEYS[20]}) then return {'CHANGED'} end
redis.call('PERSIST', KEYS[1])
local most, deliveries = tonumber(ARGV[7]), 0
local cursor, fields = unpack(redis.call('HSCAN', KEYS[7], ARGV[9], 'COUNT', most))
local ids = redis.call('SRANDMEMBER', KEYS[18], most)
for at = 1, #fields, 2 do
  local field = fields[at]
  if string.sub(field, 1, 1) == 'e' then
    local kind = cmsgpack.unpack(fields[at + 1])[1]
    deliveries = deliveries + 1
    redis.call('ZREM', KEYS[8], kind .. ARGV[3] .. (kind == 'r' and '' or string.sub(field, 2)))
  end
  redis.call('HDEL', KEYS[7], field)
end
for _, id in ipairs(ids) do
  redis.call('HDEL', KEYS[17], 'm' .. id, 'p' .. id)
  redis.call('ZREM', KEYS[16], id)
  redis.call('SREM', KEYS[18], id)
end
if redis.call('EXISTS', KEYS[7], KEYS[18]) > 0 then
  if h then
    h[OWNER], h[DEADLINE], h[HANDED] = '', 0, 0
    write_head(KEYS[1], h)
  end
  return {'MORE', deliveries, #ids, cursor}
end
local length = redis.call('LLEN', KEYS[14])
local keeps = h and h[LOG_KEEP_MS] > 0
local kept = keeps and h[LOG_KEEP] > 0 and math.min(length, h[LOG_KEEP]) or length
for from = length - kept, length - 1, 100 do
  local young = false
  for _, entry in ipairs(redis.call('LRANGE', KEYS[14], from, math.min(from + 99, length - 1))) do
    young = not keeps or tonumber(string.match(entry, '^%d+ (%d+) ')) + h[LOG_KEEP_MS] > now
    if young then break end
    kept = kept - 1
  end
  if young then break end
end
local parts = 0
for part = 1, tonumber(ARGV[5]) do
  local value, etag = KEYS[19 + 2 * part], KEYS[20 + 2 * part]
  local ends = redis.call('HGET', etag, 'x')
  if ends and (ends == '' or tonumber(ends) > now) then parts = parts + 1 end
  redis.call('UNLINK', value, etag)
end
if h then
  if h[VERSION] > 0 and redis.call('HINCRBY', KEYS[11], status, -1) <= 0 then redis.call('HDEL', KEYS[11], status) end
  redis.call('ZADD', KEYS[9], next_tick(KEYS[12]), ARGV[2])
  redis.call('ZADD', KEYS[13], now + tonumber(ARGV[6]) + 0.5, ARGV[1])
end
redis.call('ZREM', KEYS[8], 'c' .. ARGV[3], 'r' .. ARGV[3])
redis.call('ZREM', KEYS[10], ARGV[2])
redis.call('ZREM', KEYS[19], ARGV[1])
redis.call('UNLINK', KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[14], KEYS[15])
return {'OK', h and 1 or 0, kept, deliveries, parts, #ids}
