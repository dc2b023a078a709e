-- unlist: take a name off its collection if its document is gone or its time is over.
--
-- KEYS  1 value  2 etag  3 names
-- ARGV  1 member of names
-- gives OK | NONE: it is there again
-- writes names; of a document whose time is over also value and etag. Passes a full memory.
-- cost  O(log names).
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local expires = redis.call('HGET', KEYS[2], 'x')
local over = expires and expires ~= '' and tonumber(expires) <= now
if redis.call('EXISTS', KEYS[1]) == 1 and not over then return {'NONE'} end
redis.call('ZREM', KEYS[3], ARGV[1])
redis.call('UNLINK', KEYS[1], KEYS[2])
return {'OK'}
