-- shared/taking: take messages off the inbox with their receipts; the attempts and memos of the first go with it.
-- 32 receipts stand in the head, older ones in a sorted set.
if take == 0 then h[ATTEMPTS] = h[ATTEMPTS] - 1 end
if take > 0 then
  if rare and failure then
    local message = redis.call('LINDEX', KEYS[3], 0)
    local _, stop, length = string.find(message, '^%d+ %d+ (%d+) ')
    local id = string.format('%.0f', (next_tick(KEYS[8])))
    redis.call('ZADD', KEYS[20], id, id)
    redis.call('SADD', KEYS[22], id)
    redis.call('HSET', KEYS[21], 'm' .. id, cmsgpack.pack({ref, string.sub(message, stop + 1, stop + length), '',
      failure, h[ATTEMPTS], version, now, '', 0, 0, 0}), 'p' .. id, string.sub(message, stop + length + 1))
  end
  redis.call('LTRIM', KEYS[3], take, '-1')
  if h[HAS_MEMOS] == 1 then redis.call('UNLINK', KEYS[13]) end
  h[HAS_MEMOS], h[ATTEMPTS], h[ERRORS] = 0, 0, 0
  h[TAKEN] = h[TAKEN] + take
  if has_reply or h[HAS_ANSWERS] == 1 then
    for at = 1, take * 14, 14 do
      local digest = string.sub(h[PENDING], at, at + 7)
      if has_reply then redis.call('HSET', KEYS[12], digest, ARGV[4]) else redis.call('HDEL', KEYS[12], digest) end
    end
    if has_reply then
      redis.call('PEXPIRE', KEYS[12], receipts_life)
      h[HAS_ANSWERS] = 1
    end
  end
  local receipts = h[RECEIPTS] .. string.sub(h[PENDING], 1, take * 14)
  h[PENDING] = string.sub(h[PENDING], take * 14 + 1)
  local spare = #receipts > 448 and math.ceil(#receipts / 14) - 24 or 0 -- eight at least go together
  for at = 1, spare * 14, 14 do
    local ordinal = (h[TAKEN] - #receipts / 14 + math.floor(at / 14)) % 4096
    redis.call('ZADD', KEYS[11], struct.unpack('>I6', receipts, at + 8) * 4096 + ordinal, string.sub(receipts, at, at + 7))
    h[HAS_OLDER] = 1
  end
  h[RECEIPTS] = string.sub(receipts, spare * 14 + 1)
  if h[TAKEN] > receipts_kept and h[HAS_OLDER] == 1 then
    local gone = redis.call('ZRANGE', KEYS[11], 0, #h[RECEIPTS] / 14 - receipts_kept - 1)
    if gone[1] then
      redis.call('ZREM', KEYS[11], unpack(gone))
      if h[HAS_ANSWERS] == 1 then redis.call('HDEL', KEYS[12], unpack(gone)) end
    end
  end
end
