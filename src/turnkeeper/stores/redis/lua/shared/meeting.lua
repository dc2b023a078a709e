-- shared/meeting: a key of another type is met here, or by the next two writes, before anything that counts is written.
-- Of a conversation with a version those keys have been ours before.
if version == 0 or rare then
  if how ~= 'none' then redis.call('STRLEN', KEYS[2]) end
  redis.call('LLEN', KEYS[3])
  redis.call('HLEN', KEYS[4])
  redis.call('ZCARD', KEYS[5])
  redis.call('HLEN', KEYS[9])
  redis.call('LLEN', KEYS[10])
  redis.call('ZCARD', KEYS[11])
  redis.call('HLEN', KEYS[12])
  redis.call('ZCARD', KEYS[15])
end
if version == 0 or status ~= new_status then
  redis.call('HLEN', KEYS[14])
  redis.call('ZCARD', KEYS[16])
end
if rare then
  for _, key in ipairs({18, 20}) do redis.call('ZCARD', KEYS[key]) end
  redis.call('HLEN', KEYS[21])
  redis.call('SCARD', KEYS[22])
end
