-- shared/answering: the answer of a commit that stands, with the next turn if the lease is still this one's.
do
  local answer = {'COMMITTED', h[VERSION], claimed, repeats and 1 or 0}
  if h[OWNER] ~= '' and h[OWNER] == token then
    answer[5], answer[6], answer[7] = now, packed, redis.call('HGET', KEYS[9], 'out')
    answer[8] = h[HAS_MEMOS] == 1 and redis.call('HGETALL', KEYS[13]) or {}
    answer[9] = redis.call('LRANGE', KEYS[3], 0, h[HANDED] - 1)
  end
  return answer
end
