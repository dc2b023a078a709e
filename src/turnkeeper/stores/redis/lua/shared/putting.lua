-- shared/putting: put the new effects in their lanes, and claim the replies for the committer if nothing unclaimed
-- stands before them and all of them may go now.
local claimed = 0
local order = effects > 0 and redis.call('HINCRBY', KEYS[1], 'en', effects) - effects or 0
local holder = redis.call('HMGET', lane.o, 'T', 'U')
local last = redis.call('ZRANGE', lane.q, -1, -1)[1]
if not last then
  claimed = ARGV[20] ~= '' and 1 or 0
elseif holder[1] == ARGV[20] and tonumber(holder[2] or 0) > now and entry_of(last)[7] == 1 then
  claimed = 1
end
local replies = 0
for at = 39, names, 5 do
  if ARGV[at + 1] == 'r' then
    replies = replies + 1
    if tonumber(ARGV[at + 2]) > now then claimed = 0 end
  end
end
if replies == 0 then claimed = 0 end
for at = 39, names, 5 do
  local id, kind, due, name = ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2]), ARGV[at + 3]
  if kind == 't' and name ~= '' then
    for _, other in ipairs(named(name)) do remove_entry(other, entry_of(other)) end
    name_timer(name, id)
  end
  local mine = kind == 'r' and claimed or 0
  order = order + 1
  redis.call('HSET', lane.o, 'p' .. id, ARGV[at + 4], 'e' .. id,
    cmsgpack.pack({kind, order, now, due, mine, 0, mine, tonumber(wish[2] or 0), name}))
  lane.n = lane.n + 1
  if kind == 't' then lane.timers = lane.timers + 1 end
  if kind == 'r' then
    redis.call('ZADD', lane.q, order, id)
  else
    redis.call('ZADD', lane.due, math.max(due, now), kind .. lane.ref .. id)
  end
end
if claimed == 1 then
  local until_ms = math.max(now + tonumber(ARGV[21]), last and tonumber(holder[2]) or 0)
  redis.call('HSET', lane.o, 'T', ARGV[20], 'U', until_ms)
  redis.call('ZADD', lane.due, until_ms, 'r' .. lane.ref)
elseif replies > 0 and not last then
  refresh_replies()
end
