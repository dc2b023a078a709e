-- shared/resting: once nothing is in flight the time to live of state and head counts. Needs `rest = {state=, receipts=,
-- planned=, window=}` and `f` with q at 3, x at 4, ro at 6.
if lane.n == 0 and (f[3] or '') == '' and (f[4] or '') ~= '' then
  local lives = math.max(tonumber(f[4]) - now, 0) + 60000
  redis.call('PEXPIRE', rest.state, lives)
  redis.call('PEXPIRE', KEYS[1], lives + rest.window)
  redis.call('HSET', KEYS[1], 'T', 1)
  if tonumber(f[4]) <= now then
    redis.call('ZADD', rest.planned, f[4], (string.match(lane.ref, '^%d+:(.*)$')))
    redis.call('HSET', KEYS[1], 'pl', f[4])
  end
  if f[6] == '1' then redis.call('PEXPIRE', rest.receipts, rest.window + 60000) end
end
