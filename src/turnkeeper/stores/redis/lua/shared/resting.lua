-- shared/resting: write the head. A time to live only while nothing is in flight: it collects garbage and is no event,
-- so it comes a minute after the state's own time, and the head outlives the state by the dedup window. Needs `keys`
-- (head, state, receipts, planned), `ref` and `window`.
if h[EXPIRES] == 0 or h[EFFECTS] > 0 or h[PENDING] ~= '' then
  write_head(keys.head, h)
else
  local lives = math.max(h[EXPIRES] - now, 0) + 60000
  redis.call('PEXPIRE', keys.state, lives)
  if h[HAS_OLDER] == 1 then redis.call('PEXPIRE', keys.receipts, window + 60000) end
  if h[EXPIRES] <= now then
    redis.call('ZADD', keys.planned, h[EXPIRES] + (h[CREATED] == 0 and 0.5 or 0), ref) -- the half says: forgotten
    h[PLANNED] = h[EXPIRES]
  end
  write_head(keys.head, h, lives + window)
end
