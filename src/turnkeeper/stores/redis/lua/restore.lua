-- restore: bring in a conversation whose keys were staged, if none of that name is there.
--
-- KEYS  1 due  2 recent  3 shelf  4 statuses  5 feed  6 tick  7 planned  8 wish  9 people  10 flows  11 number of pairs
--       is ARGV[1]: staged key, key, ... of which the first pair is the head's
-- ARGV  1 pairs  2 ref  3 flow  4 status  5 changed_ms  6 expires_ms or ''  7 listed (0, 1)  8 has a state (0, 1)
--       9 opted out (0, 1); then of everything that is due: time, member
-- gives OK | NONE: there is one; the stage is left to its own time | NOSTAGE: the stage was evicted
-- writes all keys of the conversation, and its place in every index.
-- cost  O(pairs + due).
local time = redis.call('TIME')
local pairs_ = tonumber(ARGV[1])
if redis.call('EXISTS', KEYS[12]) == 1 then return {'NONE'} end
if redis.call('EXISTS', KEYS[11]) == 0 then return {'NOSTAGE'} end
for pair = 1, pairs_ do
  local stage, key = KEYS[9 + 2 * pair], KEYS[10 + 2 * pair]
  if redis.call('EXISTS', stage) == 1 then
    redis.call('RENAME', stage, key)
    redis.call('PERSIST', key)
  end
end
for at = 10, #ARGV, 2 do redis.call('ZADD', KEYS[1], ARGV[at], ARGV[at + 1]) end
if ARGV[7] == '1' then
  redis.call('ZADD', KEYS[2], ARGV[5], ARGV[2])
  redis.call('ZADD', KEYS[3], ARGV[5], ARGV[2])
end
if ARGV[8] == '1' then redis.call('HINCRBY', KEYS[4], ARGV[4], 1) end
local tick = math.max(time[1] * 1000000 + time[2], tonumber(redis.call('GET', KEYS[6]) or 0) + 1)
redis.call('SET', KEYS[6], string.format('%.0f', tick))
redis.call('ZADD', KEYS[5], tick, ARGV[2])
if ARGV[6] ~= '' then redis.call('ZADD', KEYS[7], ARGV[6], ARGV[2]) end
if ARGV[9] == '1' and redis.call('HGET', KEYS[8], 'out') ~= '1' then
  redis.call('HINCRBY', KEYS[8], 'n', 1)
  redis.call('HSET', KEYS[8], 'out', 1)
end
redis.call('ZADD', KEYS[9], 0, ARGV[2])
redis.call('SADD', KEYS[10], ARGV[3])
return {'OK'}
