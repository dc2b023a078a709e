-- shared/meeting: a key of another type is met here, or by the next two writes, before anything that counts is written.
if how ~= 'none' then redis.call('STRLEN', KEYS[2]) end
redis.call('LLEN', KEYS[3])
redis.call('HLEN', KEYS[4])
redis.call('ZCARD', KEYS[5])
if has_log then redis.call('LLEN', KEYS[10]) end
if h[HAS_OLDER] == 1 or #h[RECEIPTS] + 14 * take > 448 then redis.call('ZCARD', KEYS[11]) end
if has_reply or h[HAS_ANSWERS] == 1 then redis.call('HLEN', KEYS[12]) end
if rare or #h[PENDING] > 14 * take then redis.call('HLEN', KEYS[9]) end
if version == 0 or status ~= new_status then
  redis.call('HLEN', KEYS[14])
  redis.call('ZCARD', KEYS[15])
  redis.call('ZCARD', KEYS[16])
end
if rare then
  redis.call('ZCARD', KEYS[18])
  redis.call('ZCARD', KEYS[20])
  redis.call('HLEN', KEYS[21])
  redis.call('SCARD', KEYS[22])
end
