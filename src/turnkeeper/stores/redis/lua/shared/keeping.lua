-- shared/keeping: the log entry and the parts.
if h[LOG_KEEP] > 0 and h[LOG_KEEP] ~= keep then redis.call('LTRIM', KEYS[10], -h[LOG_KEEP], -1) end
if has_log then
  h[LOG_SEQ] = h[LOG_SEQ] + 1
  local length = redis.call('RPUSH', KEYS[10],
    h[LOG_SEQ] .. ' ' .. time[1] .. string.sub('00000' .. time[2], -6, -4) .. ' ' .. ARGV[3])
  if length >= keep + 8 then -- a few too many cost less than a trim each time; nobody is shown them
    redis.call('LTRIM', KEYS[10], -keep, -1)
    for _ = 1, 32 do  -- more than came since, and no walk through a long log at once
      local oldest = redis.call('LINDEX', KEYS[10], 0)
      if not oldest or tonumber(string.match(oldest, '^%d+ (%d+) ')) + keep_ms > now then break end
      redis.call('LPOP', KEYS[10])
    end
  end
  if length == 1 or now + keep_ms + 60000 > h[LOG_ENDS] then
    local lives = math.floor(keep_ms * 65 / 64) + 60000 -- a little more, so that not every commit has to move it
    redis.call('PEXPIRE', KEYS[10], lives)
    h[LOG_ENDS] = now + lives
  end
end
if keep == 0 then redis.call('UNLINK', KEYS[10]) end
h[LOG_KEEP], h[LOG_KEEP_MS] = keep, keep_ms

if rare then
  for at, part in ipairs(parts) do
    local value, etag = KEYS[21 + 3 * at], KEYS[22 + 3 * at]
    redis.call('RENAME', KEYS[20 + 3 * at], value)
    redis.call('PERSIST', value)
    redis.call('DEL', etag)
    redis.call('HSET', etag, 'e', string.format('%.0f', tick), 'x', '')
    redis.call('ZADD', KEYS[18], 0, part)
  end
  for at = 1, #adopted + #retired do
    local part = adopted[at] or retired[at - #adopted]
    local value, etag = KEYS[21 + 3 * #parts + 2 * at], KEYS[22 + 3 * #parts + 2 * at]
    local ends = redis.call('HGET', etag, 'x')
    if ends and (ends == '' or tonumber(ends) > now) then
      if adopted[at] then
        redis.call('PERSIST', value)
        redis.call('PERSIST', etag)
        redis.call('HSET', etag, 'x', '')
      else
        redis.call('HSET', etag, 'x', now + grace)
        redis.call('PEXPIRE', value, grace)
        redis.call('PEXPIRE', etag, grace)
      end
      redis.call('ZADD', KEYS[18], adopted[at] and 0 or now + grace, part)
    end
  end
  if #parts + #retired > 0 then redis.call('ZREMRANGEBYSCORE', KEYS[18], 1, now) end
  if #parts + #adopted > 0 then redis.call('PERSIST', KEYS[18]) end -- an end that came before gave it a time to live
end
