-- release: give a lease back without a commit; the messages stay first in line.
--
-- KEYS  1 head  2 due
-- ARGV  1 token  2 outcome (returned, error)  3 wait_ms  4 due member
-- gives OK | NONE: not held
-- writes due and head. Passes a full memory.
-- cost  O(1).
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
--@ head
local h = read_head(KEYS[1])
if not h or h[OWNER] == '' or h[OWNER] ~= ARGV[1] then return {'NONE'} end
redis.call('PERSIST', KEYS[1])
if ARGV[2] == 'returned' then h[ATTEMPTS] = h[ATTEMPTS] - 1 else h[ERRORS] = h[ERRORS] + 1 end
h[READY] = math.max(h[READY], now + tonumber(ARGV[3]))
h[OWNER], h[DEADLINE], h[HANDED], h[INTERRUPTED] = '', 0, 0, 0
redis.call('ZADD', KEYS[2], math.max(h[READY], (struct.unpack('>I6', h[PENDING], 9))), ARGV[4])
write_head(KEYS[1], h)
return {'OK'}
