-- shared/keeping: the log entry, the parts, how long the state is kept from now on, and a commit that forgets.
if flag(14) then
  local seq = num(16) + 1
  redis.call('RPUSH', KEYS[19], string.format('%.0f %.0f %.0f %.0f ', seq, version, generation, now) .. ARGV[15])
  redis.call('HSET', KEYS[1], 'l', seq)
end
if tonumber(ARGV[16]) > 0 then redis.call('LTRIM', KEYS[19], -ARGV[16], -1) else redis.call('UNLINK', KEYS[19]) end
redis.call('HSET', KEYS[1], 'lk', ARGV[17])
if flag(14) then
  for _ = 1, 4 do  -- faster than they come, and no walk through a long log at once
    local oldest = redis.call('LINDEX', KEYS[19], 0)
    if not oldest or tonumber(string.match(oldest, '^%d+ %d+ %d+ (%d+) ')) + tonumber(ARGV[17]) > now then break end
    redis.call('LPOP', KEYS[19])
  end
end
redis.call('PEXPIRE', KEYS[19], tonumber(ARGV[17]) + 60000)

local grace = tonumber(ARGV[33])
local ids = names + cancelled
for part = 1, parts do
  local value, etag = KEYS[22 + 3 * part], KEYS[23 + 3 * part]
  redis.call('RENAME', KEYS[21 + 3 * part], value)
  redis.call('PERSIST', value)
  redis.call('DEL', etag)
  redis.call('HSET', etag, 'e', string.format('%.0f', tick), 'x', '')
  redis.call('ZADD', KEYS[20], 0, ARGV[ids + part])
end
local after = 23 + 3 * parts
for part = 1, adopted do
  local value, etag = KEYS[after + 2 * part - 1], KEYS[after + 2 * part]
  local ends = redis.call('HGET', etag, 'x')
  if ends and (ends == '' or tonumber(ends) > now) then
    redis.call('PERSIST', value)
    redis.call('PERSIST', etag)
    redis.call('HSET', etag, 'x', '')
    redis.call('ZADD', KEYS[20], 0, ARGV[ids + parts + part])
  end
end
after = after + 2 * adopted
for part = 1, retired do
  local value, etag = KEYS[after + 2 * part - 1], KEYS[after + 2 * part]
  local ends = redis.call('HGET', etag, 'x')
  if ends and (ends == '' or tonumber(ends) > now) then
    redis.call('HSET', etag, 'x', now + grace)
    redis.call('PEXPIRE', value, grace)
    redis.call('PEXPIRE', etag, grace)
    redis.call('ZADD', KEYS[20], now + grace, ARGV[ids + parts + adopted + part])
  end
end
if parts + retired > 0 then redis.call('ZREMRANGEBYSCORE', KEYS[20], 1, now) end

if (f[12] or '') == '' then f[12] = now end
if flag(11) then f[11] = now end
local since = (not flag(13) or (f[11] or '') == '') and f[12] or f[11]
local expires = ARGV[12] ~= '' and tonumber(since) + tonumber(ARGV[12]) or ''
if flag(10) then
  redis.call('UNLINK', KEYS[2], KEYS[3])
  redis.call('ZREM', KEYS[11], ARGV[28])
  redis.call('ZREM', KEYS[12], ARGV[28])
  if version > 0 and redis.call('HINCRBY', KEYS[14], status, -1) <= 0 then redis.call('HDEL', KEYS[14], status) end
  generation, version, status, created = math.max(now, generation + 1), 0, '', 0
  f[11], f[12], expires = '', '', now
end
