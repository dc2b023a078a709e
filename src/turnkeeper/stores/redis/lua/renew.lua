-- renew: prolong a lease that is still held, and remember a step's result with it.
--
-- KEYS  1 head  2 due  3 memos
-- ARGV  1 token  2 lease_ms  3 due member  4 memo? (0, 1)  5 memo's name  6 memo's bytes  7 most memos
-- gives OK waiting | NONE: not held | MEMOS count
-- writes due and head; with a memo also memos. Passes a full memory.
-- cost  O(1).
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
--@ head
local h = read_head(KEYS[1])
if not h or h[OWNER] == '' or h[OWNER] ~= ARGV[1] then return {'NONE'} end
local count, keeps = 0, ARGV[4] == '1'
if keeps and redis.call('HEXISTS', KEYS[3], ARGV[5]) == 0 then
  count = redis.call('HLEN', KEYS[3]) + 1
  keeps = count <= tonumber(ARGV[7])
end
redis.call('PERSIST', KEYS[1])
h[DEADLINE] = math.max(h[DEADLINE], now + tonumber(ARGV[2]))
redis.call('ZADD', KEYS[2], math.max(h[DEADLINE], h[READY]), ARGV[3])
if keeps then
  redis.call('HSET', KEYS[3], ARGV[5], ARGV[6])
  h[HAS_MEMOS] = 1
end
write_head(KEYS[1], h)
if ARGV[4] == '1' and not keeps then return {'MEMOS', count} end
return {'OK', #h[PENDING] / 14 - h[HANDED]}
