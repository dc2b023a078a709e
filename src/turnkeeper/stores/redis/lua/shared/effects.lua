-- shared/effects: unsettled effects of one conversation. Needs `lane = {o=, q=, due=, ref=, n=, timers=}` before it.
-- An entry is {kind, order, committed, due, attempts, maybe_sent, claimed, opt_outs, name}. Claimed replies stand first.
local function entry_of(id)
  local raw = redis.call('HGET', lane.o, 'e' .. id)
  return raw and cmsgpack.unpack(raw)
end

local function write_entry(id, entry)
  redis.call('HSET', lane.o, 'e' .. id, cmsgpack.pack(entry))
end

local function first_reply()
  local id = redis.call('ZRANGE', lane.q, 0, 0)[1]
  return id, id and entry_of(id)
end

-- Free the replies' lane if nothing in it is claimed, and note when somebody must look at it.
local function refresh_replies()
  local _, first = first_reply()
  if not first then
    redis.call('HDEL', lane.o, 'T', 'U')
    redis.call('ZREM', lane.due, 'r' .. lane.ref)
  elseif first[7] == 1 then
    redis.call('ZADD', lane.due, tonumber(redis.call('HGET', lane.o, 'U')), 'r' .. lane.ref)
  else
    redis.call('HDEL', lane.o, 'T', 'U')
    redis.call('ZADD', lane.due, math.max(first[4], first[3]), 'r' .. lane.ref)
  end
end

-- The timers of a name: one, unless a dead one of that name was brought back.
local function named(name)
  local ids = {}
  if name == '' then return ids end
  for id in string.gmatch(redis.call('HGET', lane.o, 'n' .. name) or '', '[^\n]+') do ids[#ids + 1] = id end
  return ids
end

local function name_timer(name, id)
  local ids = named(name)
  ids[#ids + 1] = id
  redis.call('HSET', lane.o, 'n' .. name, table.concat(ids, '\n'))
end

-- Take an entry away; the replies' lane is refreshed by the caller.
local function remove_entry(id, entry)
  redis.call('HDEL', lane.o, 'e' .. id, 'p' .. id)
  if entry[1] == 'r' then
    redis.call('ZREM', lane.q, id)
  else
    redis.call('HDEL', lane.o, 'T' .. id, 'U' .. id)
    redis.call('ZREM', lane.due, entry[1] .. lane.ref .. id)
  end
  if entry[1] == 't' then
    lane.timers = lane.timers - 1
    local others = named(entry[9])
    redis.call('HDEL', lane.o, 'n' .. entry[9])
    for _, other in ipairs(others) do
      if other ~= id then name_timer(entry[9], other) end
    end
  end
  lane.n = lane.n - 1
end

-- The entries that a caller means by an id or a timer's name.
local function meant(name)
  local ids = named(name)
  ids[#ids + 1] = name
  return ids
end

-- Whether somebody's claim covers an entry now.
local function is_claimed(id, entry, now)
  if entry[7] ~= 1 then return false end
  local until_ms = redis.call('HGET', lane.o, entry[1] == 'r' and 'U' or 'U' .. id)
  return until_ms and tonumber(until_ms) > now
end
