-- touch: count a document's time to live anew, or delete it.
--
-- KEYS  1 value  2 end  3 names
-- ARGV  1 what (touch, delete)  2 ttl_ms or ''  3 check: any, or = and the etag  4 logical (0, 1): the end is also
--       written down  5 member of names or ''
-- gives OK | NONE: there is none, or the check does not hold
-- writes value, end, names. Passes a full memory.
-- cost  O(1); with a check O(bytes).
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if redis.call('EXISTS', KEYS[1]) == 0 then return {'NONE'} end
local ends = ARGV[4] == '1' and redis.call('HGET', KEYS[2], 'x')
if ends and ends ~= '' and tonumber(ends) <= now then return {'NONE'} end
redis.call('STRLEN', KEYS[1]) -- refuses what is no string, before anything is written
if ARGV[3] ~= 'any' and ARGV[3] ~= '=' .. redis.sha1hex(redis.call('GET', KEYS[1])) then return {'NONE'} end
if ARGV[1] == 'delete' then
  redis.call('UNLINK', KEYS[1], KEYS[2])
  if ARGV[5] ~= '' then redis.call('ZREM', KEYS[3], ARGV[5]) end
  return {'OK'}
end
local left = ARGV[2] ~= '' and math.max(tonumber(ARGV[2]), 1)
if left then redis.call('PEXPIRE', KEYS[1], left) else redis.call('PERSIST', KEYS[1]) end
if ARGV[4] == '1' then
  if left then redis.call('PEXPIRE', KEYS[2], left) else redis.call('PERSIST', KEYS[2]) end
  redis.call('HSET', KEYS[2], 'x', left and now + left or '')
end
return {'OK'}
