-- touch: count a document's time to live anew, or delete it.
--
-- KEYS  1 value  2 etag  3 names
-- ARGV  1 what (touch, delete)  2 ttl_ms or ''  3 check: any, or = and the etag  4 member of names
-- gives OK | NONE: there is none, or the check does not hold
-- writes value, etag, names. Passes a full memory.
-- cost  O(1).
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local old = redis.call('HMGET', KEYS[2], 'e', 'x')
if redis.call('EXISTS', KEYS[1]) == 0 then return {'NONE'} end
local etag = old[1] or 'foreign'
if old[1] and old[2] ~= '' and tonumber(old[2]) <= now then return {'NONE'} end
if ARGV[3] ~= 'any' and ARGV[3] ~= '=' .. etag then return {'NONE'} end
if ARGV[1] == 'delete' then
  redis.call('UNLINK', KEYS[1], KEYS[2])
  redis.call('ZREM', KEYS[3], ARGV[4])
  return {'OK'}
end
redis.call('PERSIST', KEYS[1])
redis.call('PERSIST', KEYS[2])
local expires = ''
if ARGV[2] ~= '' then
  expires = now + tonumber(ARGV[2])
  redis.call('PEXPIRE', KEYS[1], math.max(tonumber(ARGV[2]), 1))
  redis.call('PEXPIRE', KEYS[2], math.max(tonumber(ARGV[2]), 1))
end
if old[1] then redis.call('HSET', KEYS[2], 'x', expires) end
return {'OK'}
