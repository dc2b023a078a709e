-- shared/granting: a grant as `parsing.granted` reads it. Needs `h`.
local function granted(memos, out, messages)
  return {'GRANTED', now, h[FENCE], h[VERSION], h[GENERATION], h[DEADLINE], h[CREATED], h[ACTIVE], h[ATTEMPTS],
    h[ERRORS], h[INTERRUPTED], out == '1' and 1 or 0, #h[PENDING] / 14 - h[HANDED], h[STATUS],
    h[HAS_MEMOS] == 1 and redis.call('HGETALL', memos) or {}, messages, h[LOST]}
end
