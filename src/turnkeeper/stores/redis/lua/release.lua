-- release: give a lease back without a commit; the messages stay first in line.
--
-- KEYS  1 head  2 due
-- ARGV  1 token  2 outcome (returned, error)  3 wait_ms  4 due member
-- gives OK | NONE: not held
-- writes head and due. Passes a full memory.
-- cost  O(1).
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local f = redis.call('HMGET', KEYS[1], 'o', 'a', 'e', 'y', 'q')
if not f[1] or f[1] == '' or f[1] ~= ARGV[1] then return {'NONE'} end
redis.call('PERSIST', KEYS[1])
local attempts, errors = tonumber(f[2]), tonumber(f[3])
if ARGV[2] == 'returned' then attempts = attempts - 1 else errors = errors + 1 end
local ready = math.max(tonumber(f[4]), now + tonumber(ARGV[3]))
redis.call('HSET', KEYS[1], 'o', '', 'd', 0, 'h', 0, 'z', 0, 'a', attempts, 'e', errors, 'y', ready)
redis.call('ZADD', KEYS[2], math.max(ready, (struct.unpack('>I6', f[5], 9))), ARGV[4])
return {'OK'}
