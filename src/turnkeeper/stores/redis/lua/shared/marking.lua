-- shared/marking: the mark of a conversation: another one as soon as anything of it is written.
local function in_order(found, step)
  local each = {}
  for at = 1, #found, step do each[#each + 1] = cmsgpack.pack(found[at], found[at + step - 1]) end
  table.sort(each) -- a hash and a set may change their order while nothing is written
  return each
end

local function mark_of(keys)
  return redis.sha1hex(cmsgpack.pack({
    redis.call('GET', keys.head) or '',
    redis.call('GET', keys.state) or '',
    redis.call('LRANGE', keys.inbox, 0, -1),
    redis.call('ZRANGE', keys.receipts, 0, -1, 'WITHSCORES'),
    in_order(redis.call('HGETALL', keys.answers), 2),
    in_order(redis.call('HGETALL', keys.memos), 2),
    in_order(redis.call('HGETALL', keys.effects), 2),
    redis.call('LRANGE', keys.log, 0, -1),
    redis.call('ZRANGE', keys.parts, 0, -1, 'WITHSCORES'),
    in_order(redis.call('SMEMBERS', keys.letters), 1),
    redis.call('HGET', keys.wish, 'out') or '',
  }))
end
