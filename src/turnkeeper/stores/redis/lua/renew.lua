-- renew: prolong a lease that is still held, and remember a step's result with it.
--
-- KEYS  1 head  2 due  3 memos
-- ARGV  1 token  2 lease_ms  3 due member  4 memo? (0, 1)  5 memo's name  6 memo's bytes  7 most memos
-- gives OK waiting | NONE: not held | MEMOS count
-- writes head and due; with a memo also memos. Passes a full memory.
-- cost  O(1).
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local f = redis.call('HMGET', KEYS[1], 'o', 'd', 'q', 'h', 'y')
if not f[1] or f[1] == '' or f[1] ~= ARGV[1] then return {'NONE'} end
redis.call('PERSIST', KEYS[1])
local deadline = math.max(tonumber(f[2]), now + tonumber(ARGV[2]))
redis.call('HSET', KEYS[1], 'd', deadline)
redis.call('ZADD', KEYS[2], math.max(deadline, tonumber(f[5])), ARGV[3])
if ARGV[4] == '1' then
  local count = redis.call('HLEN', KEYS[3])
  if count >= tonumber(ARGV[7]) and redis.call('HEXISTS', KEYS[3], ARGV[5]) == 0 then
    return {'MEMOS', count + 1}
  end
  redis.call('HSET', KEYS[3], ARGV[5], ARGV[6])
  redis.call('HSET', KEYS[1], 'mm', 1)
end
return {'OK', #f[3] / 14 - tonumber(f[4])}
