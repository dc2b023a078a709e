-- shared/taking: take messages off the inbox with their receipts; the attempts and memos of the first go with it.
-- 32 receipts stand in the head in blocks of four, older ones in a sorted set: so the head stays a small listpack.
if take == 0 then attempts = attempts - 1 end
if take > 0 and flag(23) then
  local message = redis.call('LINDEX', KEYS[4], 0)
  local _, stop, length = string.find(message, '^%d+ %d+ (%d+) ')
  local id = string.format('%.0f', tick)
  redis.call('HSET', KEYS[22], 'm' .. id, cmsgpack.pack({ARGV[28], string.sub(message, stop + 1, stop + length), '',
    ARGV[24], attempts, version, now, '', 0, 0, 0}), 'p' .. id, string.sub(message, stop + length + 1))
  redis.call('ZADD', KEYS[21], tick, id)
  redis.call('SADD', KEYS[23], id)
  redis.call('SET', KEYS[16], id)
  tick = tick + 1
end
if take > 0 then
  redis.call('LTRIM', KEYS[4], take, -1)
  if f[19] == '1' then
    redis.call('UNLINK', KEYS[7])
    redis.call('HDEL', KEYS[1], 'mm')
    f[19] = false
  end
  attempts, errors = 0, 0
  local pushed = num(21)
  for at = 1, take * 14, 14 do
    local record = string.sub(pending, at, at + 13)
    local block = 'r' .. math.floor(pushed / 4) % 8
    local before = redis.call('HGET', KEYS[1], block) or ''
    if pushed % 4 == 0 and before ~= '' then
      for old = 1, #before, 14 do
        local ordinal = (pushed - 32 + math.floor(old / 14)) % 4096
        redis.call('ZADD', KEYS[5], struct.unpack('>I6', before, old + 8) * 4096 + ordinal,
          string.sub(before, old, old + 7))
      end
      f[20] = '1'
      before = ''
    end
    pushed = pushed + 1
    redis.call('HSET', KEYS[1], block, before .. record, 'rn', pushed)
    if flag(18) then redis.call('HSET', KEYS[6], string.sub(record, 1, 8), ARGV[19])
    elseif redis.call('EXISTS', KEYS[6]) == 1 then redis.call('HDEL', KEYS[6], string.sub(record, 1, 8)) end
  end
  if flag(18) then redis.call('PEXPIRE', KEYS[6], tonumber(ARGV[31]) + 60000) end
  if f[20] == '1' then
    local kept = tonumber(ARGV[32]) - math.min(pushed, 29 + (pushed - 1) % 4)
    local gone = redis.call('ZRANGE', KEYS[5], 0, -(kept + 1))
    if gone[1] then
      redis.call('ZREMRANGEBYRANK', KEYS[5], 0, -(kept + 1))
      redis.call('HDEL', KEYS[6], unpack(gone))
    end
    redis.call('HSET', KEYS[1], 'ro', 1)
  end
  pending = string.sub(pending, take * 14 + 1)
end
