-- export: read a whole conversation at one moment. A transaction could not: a full server refuses to queue one.
--
-- KEYS  1 head  2 inbox  3 receipts  4 answers  5 memos  6 effects  7 log  8 parts  9 wish  10 state  11 letters
--       12 letters' bodies
-- ARGV  none
-- gives OK now head or false {message, ...} {digest, score, ...} {digest, answer, ...} {memo, result, ...}
--       {field, entry, ...} {log entry, ...} {kept part, ...} opted_out or false, state or false
--       {dead letter, its payload, ...} oldest first, mark
-- writes nothing.
-- cost  O(what there is): for migration and consoles, not for turns.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
--@ marking
local dead = {}
local ids = redis.call('SMEMBERS', KEYS[11])
table.sort(ids, function(one, other) return tonumber(one) < tonumber(other) end)
for _, id in ipairs(ids) do
  for _, found in ipairs(redis.call('HMGET', KEYS[12], 'm' .. id, 'p' .. id)) do dead[#dead + 1] = found end
end
return {
  'OK',
  now,
  redis.call('GET', KEYS[1]),
  redis.call('LRANGE', KEYS[2], 0, -1),
  redis.call('ZRANGE', KEYS[3], 0, -1, 'WITHSCORES'),
  redis.call('HGETALL', KEYS[4]),
  redis.call('HGETALL', KEYS[5]),
  redis.call('HGETALL', KEYS[6]),
  redis.call('LRANGE', KEYS[7], 0, -1),
  redis.call('ZRANGEBYSCORE', KEYS[8], 0, 0),
  redis.call('HGET', KEYS[9], 'out'),
  redis.call('GET', KEYS[10]),
  dead,
  mark_of({head = KEYS[1], state = KEYS[10], inbox = KEYS[2], receipts = KEYS[3], answers = KEYS[4], memos = KEYS[5],
    effects = KEYS[6], log = KEYS[7], parts = KEYS[8], letters = KEYS[11], wish = KEYS[9]}),
}
