-- shared/meeting: a key of another type is met here, or by the next two writes, before anything that counts is written.
if how ~= 'none' then redis.call('STRLEN', KEYS[2]) end
redis.call('LLEN', KEYS[4])
redis.call('HLEN', KEYS[5])
redis.call('ZCARD', KEYS[6])
if opt_out ~= '' or #h[PENDING] > 14 * take then redis.call('HLEN', KEYS[10]) end
if has_log then redis.call('LLEN', KEYS[11]) end
if h[HAS_OLDER] == 1 or #h[RECEIPTS] + 14 * take > 448 then redis.call('ZCARD', KEYS[12]) end
if has_reply or h[HAS_ANSWERS] == 1 then redis.call('HLEN', KEYS[13]) end
if version == 0 or status ~= new_status then
  redis.call('HLEN', KEYS[15])
  redis.call('ZCARD', KEYS[16])
  redis.call('ZCARD', KEYS[17])
end
if #parts + #adopted + #retired > 0 then redis.call('ZCARD', KEYS[18]) end
if is_dead then
  redis.call('ZCARD', KEYS[20])
  redis.call('HLEN', KEYS[21])
  redis.call('SCARD', KEYS[22])
end
