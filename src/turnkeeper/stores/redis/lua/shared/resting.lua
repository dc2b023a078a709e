-- shared/resting: once nothing is in flight the time to live of state and head counts. Needs KEYS[1] head, KEYS[2] state,
-- KEYS[10] receipts, ARGV[9] window_ms, and `f` with q at 3, x at 4, ro at 6.
if lane.n == 0 and (f[3] or '') == '' and (f[4] or '') ~= '' then
  local rest = math.max(tonumber(f[4]) - now, 0) + 60000
  redis.call('PEXPIRE', KEYS[2], rest)
  redis.call('PEXPIRE', KEYS[1], rest + tonumber(ARGV[9]))
  redis.call('HSET', KEYS[1], 'T', 1)
  if f[6] == '1' then redis.call('PEXPIRE', KEYS[10], tonumber(ARGV[9]) + 60000) end
end
