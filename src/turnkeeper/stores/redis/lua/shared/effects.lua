-- shared/effects: unsettled effects of one conversation. Needs `h` and `lane = {o=, due=, ref=}` before it.
-- An entry is {kind, order, committed, due, attempts, maybe_sent, claimed, tick, name}. Replies stand under their
-- order too; the claimed ones are the first.
local function entry_of(id)
  local raw = redis.call('HGET', lane.o, 'e' .. id)
  return raw and cmsgpack.unpack(raw)
end

local function write_entry(id, entry)
  redis.call('HSET', lane.o, 'e' .. id, cmsgpack.pack(entry))
end

-- The ids of the first replies. An order that was removed leaves a gap, which is walked over once.
local function first_replies(limit)
  local ids = {}
  if h[REPLIES] == 0 then return ids end
  local step = math.min(limit + 7, 64)
  for from = h[FIRST_REPLY], h[ORDER], step do
    local fields = {}
    for order = from, math.min(from + step - 1, h[ORDER]) do fields[#fields + 1] = 'r' .. order end
    for at, id in ipairs(redis.call('HMGET', lane.o, unpack(fields))) do
      if id then
        if #ids == 0 then h[FIRST_REPLY] = from + at - 1 end
        ids[#ids + 1] = id
        if #ids == math.min(limit, h[REPLIES]) then return ids end
      end
    end
  end
  return ids
end

-- Free the replies' lane if nothing in it is claimed, and note when somebody must look at it.
local function refresh_replies()
  local id = first_replies(1)[1]
  local first = id and entry_of(id)
  if first and first[7] == 1 then
    redis.call('ZADD', lane.due, h[LANE_UNTIL], 'r' .. lane.ref)
    return first
  end
  h[LANE_TOKEN], h[LANE_UNTIL] = '', 0
  if first then redis.call('ZADD', lane.due, math.max(first[4], first[3]), 'r' .. lane.ref)
  else redis.call('ZREM', lane.due, 'r' .. lane.ref) end
  return first
end

-- The timers of a name: one, unless a dead one of that name was brought back.
local function named(name)
  local ids = {}
  if name == '' or h[TIMERS] == 0 then return ids end
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
  h[EFFECTS] = h[EFFECTS] - 1
  if entry[1] == 'r' then
    h[REPLIES] = h[REPLIES] - 1
    redis.call('HDEL', lane.o, 'e' .. id, 'p' .. id, 'r' .. entry[2])
    return
  end
  redis.call('HDEL', lane.o, 'e' .. id, 'p' .. id, 'T' .. id, 'U' .. id)
  redis.call('ZREM', lane.due, entry[1] .. lane.ref .. id)
  if entry[1] == 't' then
    local others = named(entry[9])
    h[TIMERS] = h[TIMERS] - 1
    redis.call('HDEL', lane.o, 'n' .. entry[9])
    for _, other in ipairs(others) do
      if other ~= id then name_timer(entry[9], other) end
    end
  end
end

-- Whether somebody's claim covers an entry now.
local function is_claimed(id, entry)
  if entry[7] ~= 1 then return false end
  local until_ms = entry[1] == 'r' and h[LANE_UNTIL] or redis.call('HGET', lane.o, 'U' .. id)
  return until_ms and tonumber(until_ms) > now
end

-- Remove what a caller means by an id or a timer's name; a claim may protect it.
local function cancel(name, protects)
  local removed = 0
  local ids = named(name)
  ids[#ids + 1] = name
  for _, id in ipairs(ids) do
    local entry = entry_of(id)
    if entry and not (protects and is_claimed(id, entry)) then
      remove_entry(id, entry)
      removed = removed + 1
    end
  end
  return removed
end
