-- settle: record how one claimed entry fared.
--
-- KEYS  1 head  2 state  3 effects  4 due  5 receipts  6 planned; of a dead one also 7 tick  8 dead  9 letters' bodies
--       10 letters
-- ARGV  1 MessagePack values, one behind the other: lane ('' the replies'), token, id, verdict, wait_ms, error, ref,
--       due ref, window_ms, most entries of one claim
-- gives OK more (0, 1) | NONE: the claim had passed to somebody else
-- writes due, effects; for a dead one dead, letters; head, with a time to live once nothing is in flight.
-- cost  O(claimed entries of the lane), bounded; seven commands for the only reply. Passes a full memory.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
--@ head
local name, claim, id, verdict, wait, failure, ref, due_ref, window, most = cmsgpack.unpack(ARGV[1])
local h = read_head(KEYS[1])
if not h then return {'NONE'} end
local token = h[LANE_TOKEN]
if name ~= '' then token = redis.call('HGET', KEYS[3], 'T' .. name) end
if not token or token == '' or token ~= claim then return {'NONE'} end
local raw = redis.call('HGET', KEYS[3], 'e' .. id)
local entry, first = raw and cmsgpack.unpack(raw)
if name == '' and verdict == 'done' and h[REPLIES] == 1 and entry and entry[1] == 'r' and entry[7] == 1 then
  -- The usual case: the only reply of the conversation was sent. What follows would do the same.
  h[EFFECTS], h[REPLIES], h[LANE_TOKEN], h[LANE_UNTIL] = h[EFFECTS] - 1, 0, '', 0
  if h[EFFECTS] == 0 then redis.call('UNLINK', KEYS[3])
  else redis.call('HDEL', KEYS[3], 'e' .. id, 'p' .. id, 'r' .. entry[2]) end
  redis.call('ZREM', KEYS[4], 'r' .. due_ref)
else
  redis.call('PERSIST', KEYS[1])
  local lane = {o = KEYS[3], due = KEYS[4], ref = due_ref}
--@ effects
  if entry and entry[7] == 1 and ((name == '' and entry[1] == 'r') or (name == id and entry[1] ~= 'r')) then
    if verdict == 'dead' then
--@ ticking
      local letter = string.format('%.0f', (next_tick(KEYS[7])))
      redis.call('ZADD', KEYS[8], letter, letter)
      redis.call('SADD', KEYS[10], letter)
      redis.call('HSET', KEYS[9], 'm' .. letter, cmsgpack.pack({ref, id, entry[1], failure, entry[5],
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
      if name == '' then ids = first_replies(most) end
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
  if name ~= '' and verdict ~= 'extend' then first = entry_of(name) end
end
local keys = {head = KEYS[1], state = KEYS[2], receipts = KEYS[5], planned = KEYS[6]}
--@ resting
return {'OK', verdict ~= 'extend' and first and first[4] <= now and 1 or 0}
