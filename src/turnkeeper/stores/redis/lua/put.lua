-- put: write a document if it still is as the writer knew it.
--
-- KEYS  1 value  2 etag  3 stage  4 names
-- ARGV  1 bytes (given) or '' (staged)  2 staged (0, 1)  3 check: any, or = and the etag ('=' alone: absent)
--       4 ttl_ms or ''  5 keep (0, 1)  6 member of names
-- gives OK etag | NONE: the check does not hold | NOSTAGE: it is not there, send it along
-- writes value, etag, names.
-- cost  O(1).
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local tick = time[1] * 1000000 + time[2]
local old = redis.call('HMGET', KEYS[2], 'e', 'x')
if redis.call('EXISTS', KEYS[1]) == 0 then
  old = {false, false}
elseif not old[1] then
  old = {'foreign', ''}
elseif old[2] ~= '' and tonumber(old[2]) <= now then
  old = {false, false}
end
if ARGV[3] ~= 'any' and ARGV[3] ~= '=' .. (old[1] or '') then
  redis.call('UNLINK', KEYS[3])
  return {'NONE'}
end
if ARGV[2] == '1' and redis.call('EXISTS', KEYS[3]) == 0 then return {'NOSTAGE'} end
local expires = ARGV[4] ~= '' and now + tonumber(ARGV[4]) or ''
if old[1] and ARGV[5] == '1' then expires = old[2] ~= '' and tonumber(old[2]) or '' end
if ARGV[2] == '1' then redis.call('RENAME', KEYS[3], KEYS[1]) else redis.call('SET', KEYS[1], ARGV[1]) end
if old[1] and old[1] ~= 'foreign' then tick = math.max(tick, tonumber(old[1]) + 1) end
local etag = string.format('%.0f', tick)
redis.call('HSET', KEYS[2], 'e', etag, 'x', expires)
if expires == '' then
  redis.call('PERSIST', KEYS[1])
  redis.call('PERSIST', KEYS[2])
else
  redis.call('PEXPIRE', KEYS[1], math.max(expires - now, 1))
  redis.call('PEXPIRE', KEYS[2], math.max(expires - now, 1))
end
redis.call('ZADD', KEYS[4], 0, ARGV[6])
return {'OK', etag}
