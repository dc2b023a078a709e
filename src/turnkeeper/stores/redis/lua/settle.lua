-- settle: record how one claimed entry fared.
--
-- KEYS  1 head  2 state  3 effects  4 due  5 tick  6 dead  7 letters' bodies  8 letters  9 receipts  10 planned
-- ARGV  1 lane  2 token  3 id  4 verdict  5 wait_ms  6 error  7 ref  8 due ref  9 window_ms  10 most entries of one claim
-- gives OK more (0, 1) | NONE: the claim had passed to somebody else
-- writes due, effects; for a dead one dead, letters; head, with a time to live once nothing is in flight.
-- cost  O(claimed entries of the lane), bounded. Passes a full memory.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
--@ head
local name, id, verdict, wait = ARGV[1], ARGV[3], ARGV[4], tonumber(ARGV[5])
local h = read_head(KEYS[1])
if not h then return {'NONE'} end
local lane = {o = KEYS[3], due = KEYS[4], ref = ARGV[8]}
--@ effects
--@ resting
local token = h[LANE_TOKEN]
if name ~= '' then token = redis.call('HGET', lane.o, 'T' .. name) end
if not token or token == '' or token ~= ARGV[2] then return {'NONE'} end
local entry = entry_of(id)
local first
redis.call('PERSIST', KEYS[1])
if entry and entry[7] == 1 and ((name == '' and entry[1] == 'r') or (name == id and entry[1] ~= 'r')) then
  if verdict == 'dead' then
    local letter = string.format('%.0f', next_tick(KEYS[5]))
    redis.call('ZADD', KEYS[6], letter, letter)
    redis.call('SADD', KEYS[8], letter)
    redis.call('HSET', KEYS[7], 'm' .. letter, cmsgpack.pack({ARGV[7], id, entry[1], ARGV[6], entry[5],
      h[VERSION], now, entry[9], entry[6], entry[3], entry[8]}), 'p' .. letter, redis.call('HGET', lane.o, 'p' .. id))
  end
  if verdict == 'done' or verdict == 'dead' then
    remove_entry(id, entry)
    if name == '' then first = refresh_replies() end
  elseif verdict == 'extend' then
    local until_ms = now + wait
    if name == '' then
      until_ms = math.max(h[LANE_UNTIL], until_ms)
      h[LANE_UNTIL] = until_ms
    else
      until_ms = math.max(tonumber(redis.call('HGET', lane.o, 'U' .. name)), until_ms)
      redis.call('HSET', lane.o, 'U' .. name, until_ms)
    end
    redis.call('ZADD', lane.due, until_ms, entry[1] .. lane.ref .. name)
  else
    local ids = {name}
    if name == '' then ids = first_replies(tonumber(ARGV[10])) end
    for _, each in ipairs(ids) do
      local other = entry_of(each)
      if other[7] ~= 1 then break end
      other[7] = 0
      if each ~= id or verdict == 'return' then other[5] = other[5] - 1 end
      if each == id then
        other[4] = now + wait
        if verdict == 'uncertain' then other[6] = 1 end
      end
      write_entry(each, other)
    end
    if name == '' then first = refresh_replies() else
      redis.call('HDEL', lane.o, 'T' .. name, 'U' .. name)
      redis.call('ZADD', lane.due, math.max(now + wait, entry[3]), entry[1] .. lane.ref .. name)
    end
  end
elseif name == '' and verdict ~= 'extend' then
  local next_id = first_replies(1)[1]
  first = next_id and entry_of(next_id)
end
rest({head = KEYS[1], state = KEYS[2], receipts = KEYS[9], planned = KEYS[10]}, ARGV[7], tonumber(ARGV[9]))
if name ~= '' and verdict ~= 'extend' then first = entry_of(name) end
return {'OK', verdict ~= 'extend' and first and first[4] <= now and 1 or 0}
