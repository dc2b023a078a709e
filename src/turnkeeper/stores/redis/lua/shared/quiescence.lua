-- shared/quiescence: a time to live only while nothing is in flight. It collects garbage and is no event: it comes a
-- minute after the state's own time, and the head outlives the state by the dedup window.
if expires == '' then
  redis.call('HDEL', KEYS[1], 'T')
  redis.call('PERSIST', KEYS[2])
elseif left > 0 or lane.n > 0 then
  redis.call('HDEL', KEYS[1], 'T')
  redis.call('PERSIST', KEYS[2])
else
  local rest = math.max(tonumber(expires) - now, 0) + 60000
  redis.call('PEXPIRE', KEYS[2], rest)
  redis.call('PEXPIRE', KEYS[1], rest + tonumber(ARGV[31]))
  redis.call('HSET', KEYS[1], 'T', 1)
  if f[20] == '1' then redis.call('PEXPIRE', KEYS[5], tonumber(ARGV[31]) + 60000) end
end
-- Somebody looks at the latest when its time is over; that it became later is seen then.
if expires ~= '' and expires < tonumber(f[22] or math.huge) then
  redis.call('ZADD', KEYS[17], expires, ARGV[28])
  redis.call('HSET', KEYS[1], 'pl', expires)
end
