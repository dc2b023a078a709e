-- restore: bring in a conversation whose keys were staged, if none of that name is there.
--
-- KEYS  1 due  2 shelf  3 statuses  4 gone  5 tick  6 planned  7 wish  8 people  9 flows  10 dead  11 letters' bodies
--       12 letters  13 state  14 receipts  15 answers  16 log; ARGV[1] pairs of staged key, key, of which the first is
--       the head's
-- ARGV  1 pairs  2 ref  3 member  4 is the person's only one (0, 1)  5 flow  6 status  7 expires_ms or ''
--       8 listed (0, 1)  9 has a state (0, 1)  10 opted out (0, 1)  11 window_ms  12 dead letters: of each what is
--       packed and its payload; then of everything that is due: time, member
-- gives OK | NONE: there is one; the stage is left to its own time | NOSTAGE: the stage was evicted
-- writes all keys of the conversation, with the times to live that it would have had, and its place in every index.
-- cost  O(pairs + due).
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
--@ head
--@ ticking
local window = tonumber(ARGV[11])
if redis.call('EXISTS', KEYS[18]) == 1 then return {'NONE'} end
local h = read_head(KEYS[17])
if not h then return {'NOSTAGE'} end
local tick = next_tick(KEYS[5])
-- Where it comes from the clock may be ahead: a number that is not reached yet would hide what comes until then.
if ARGV[8] == '1' then redis.call('ZADD', KEYS[2], math.min(h[CHANGED], tick), ARGV[3]) end
redis.call('ZADD', KEYS[4], tick, ARGV[3])
for pair = 1, tonumber(ARGV[1]) do
  local stage, key = KEYS[15 + 2 * pair], KEYS[16 + 2 * pair]
  if redis.call('EXISTS', stage) == 1 then
    redis.call('RENAME', stage, key)
    redis.call('PERSIST', key)
  end
end
h[TOLD] = tick
local last = 12 + 2 * tonumber(ARGV[12])
for at = 13, last, 2 do
  local id = string.format('%.0f', next_tick(KEYS[5]))
  redis.call('ZADD', KEYS[10], id, id)
  redis.call('SADD', KEYS[12], id)
  redis.call('HSET', KEYS[11], 'm' .. id, ARGV[at], 'p' .. id, ARGV[at + 1])
end
for at = last + 1, #ARGV, 2 do redis.call('ZADD', KEYS[1], ARGV[at], ARGV[at + 1]) end
if ARGV[9] == '1' then redis.call('HINCRBY', KEYS[3], ARGV[6], 1) end
if ARGV[7] ~= '' then redis.call('ZADD', KEYS[6], ARGV[7], ARGV[2]) end
if ARGV[10] == '1' and redis.call('HGET', KEYS[7], 'out') ~= '1' then
  redis.call('HSET', KEYS[7], 'out', 1, 'n', tick)
end
if ARGV[4] == '0' then redis.call('ZADD', KEYS[8], 0, ARGV[2]) end
redis.call('SADD', KEYS[9], ARGV[5])
redis.call('PEXPIRE', KEYS[15], window + 60000)
if h[LOG_KEEP_MS] > 0 then
  redis.call('PEXPIRE', KEYS[16], h[LOG_KEEP_MS] + 60000)
  h[LOG_ENDS] = now + h[LOG_KEEP_MS] + 60000
end
local keys, ref = {head = KEYS[18], state = KEYS[13], receipts = KEYS[14], planned = KEYS[6]}, ARGV[2]
--@ resting
return {'OK'}
