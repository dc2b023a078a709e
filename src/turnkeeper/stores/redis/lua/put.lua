-- put: write a document if it still is as the writer knew it.
--
-- KEYS  1 value  2 end  3 stage  4 names
-- ARGV  1 bytes (given) or '' (staged)  2 staged (0, 1)  3 check: any, or = and the etag ('=' alone: absent)
--       4 ttl_ms or ''  5 keep (0, 1)  6 logical (0, 1): the end is also written down  7 member of names or ''
-- gives OK | NONE: the check does not hold | NOSTAGE: it is not there, send it along
-- writes value, end if it is logical, names if there is a member.
-- cost  O(bytes): with a check the value's digest is computed, 2.4 us per KB.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local over = ARGV[6] == '1' and redis.call('HGET', KEYS[2], 'x')
over = over and over ~= '' and tonumber(over) <= now
local old = not over and redis.call('EXISTS', KEYS[1]) == 1
if old then redis.call('STRLEN', KEYS[1]) end -- refuses what is no string, before anything is written
if ARGV[3] ~= 'any' then
  local etag = old and redis.sha1hex(redis.call('GET', KEYS[1])) or ''
  if ARGV[3] ~= '=' .. etag then
    redis.call('UNLINK', KEYS[3])
    return {'NONE'}
  end
end
if ARGV[2] == '1' and redis.call('EXISTS', KEYS[3]) == 0 then return {'NOSTAGE'} end
local left = ARGV[4] ~= '' and math.max(tonumber(ARGV[4]), 1) or -1
local keep = old and ARGV[5] == '1'
if keep then left = redis.call('PTTL', KEYS[1]) end
if ARGV[2] == '1' then
  redis.call('RENAME', KEYS[3], KEYS[1])
  if left < 0 then redis.call('PERSIST', KEYS[1]) else redis.call('PEXPIRE', KEYS[1], math.max(left, 1)) end
elseif keep then
  redis.call('SET', KEYS[1], ARGV[1], 'KEEPTTL')
elseif left < 0 then
  redis.call('SET', KEYS[1], ARGV[1])
else
  redis.call('SET', KEYS[1], ARGV[1], 'PX', left)
end
if ARGV[6] == '1' and not keep then
  redis.call('HSET', KEYS[2], 'x', left < 0 and '' or now + left)
  if left < 0 then redis.call('PERSIST', KEYS[2]) else redis.call('PEXPIRE', KEYS[2], left) end
end
if ARGV[7] ~= '' then redis.call('ZADD', KEYS[4], 0, ARGV[7]) end
return {'OK'}
