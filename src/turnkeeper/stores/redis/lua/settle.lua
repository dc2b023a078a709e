-- settle: record how one claimed entry fared.
--
-- KEYS  1 head  2 state  3 effects  4 queue  5 due  6 tick  7 dead  8 letters' bodies  9 letters  10 receipts
--       11 planned
-- ARGV  1 lane  2 token  3 id  4 verdict  5 wait_ms  6 error  7 ref  8 due ref  9 window_ms  10 most entries of one claim
-- gives OK more (0, 1) | NONE: the claim had passed to somebody else
-- writes effects, due, head; for a dead one tick, dead, letters; a time to live once nothing is in flight.
-- cost  O(claimed entries of the lane), bounded. Passes a full memory.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local name, verdict, wait = ARGV[1], ARGV[4], tonumber(ARGV[5])
local f = redis.call('HMGET', KEYS[1], 'ou', 'ot', 'q', 'x', 'v', 'ro')
local lane = {o = KEYS[3], q = KEYS[4], due = KEYS[5], ref = ARGV[8], n = tonumber(f[1] or 0), timers = tonumber(f[2] or 0)}
local rest = {state = KEYS[2], receipts = KEYS[10], planned = KEYS[11], window = tonumber(ARGV[9])}
--@ effects
local token = redis.call('HGET', lane.o, 'T' .. name)
if not token or token ~= ARGV[2] then return {'NONE'} end
local entry = entry_of(ARGV[3])
local in_lane = entry and entry[7] == 1 and ((name == '' and entry[1] == 'r') or (name == ARGV[3] and entry[1] ~= 'r'))
redis.call('PERSIST', KEYS[1])
if in_lane then
  if verdict == 'dead' then
    local tick = math.max(time[1] * 1000000 + time[2], tonumber(redis.call('GET', KEYS[6]) or 0) + 1)
    local id = string.format('%.0f', tick)
    redis.call('HSET', KEYS[8], 'm' .. id, cmsgpack.pack({ARGV[7], ARGV[3], entry[1], ARGV[6], entry[5],
      tonumber(f[5] or 0), now, entry[9], entry[6], entry[3], entry[8]}), 'p' .. id,
      redis.call('HGET', lane.o, 'p' .. ARGV[3]))
    redis.call('ZADD', KEYS[7], tick, id)
    redis.call('SADD', KEYS[9], id)
    redis.call('SET', KEYS[6], id)
  end
  if verdict == 'done' or verdict == 'dead' then
    remove_entry(ARGV[3], entry)
    if name == '' then refresh_replies() end
  elseif verdict == 'extend' then
    local until_ms = math.max(tonumber(redis.call('HGET', lane.o, 'U' .. name)), now + wait)
    redis.call('HSET', lane.o, 'U' .. name, until_ms)
    redis.call('ZADD', lane.due, until_ms, entry[1] .. lane.ref .. name)
  else
    local ids = {name}
    if name == '' then ids = redis.call('ZRANGE', lane.q, 0, tonumber(ARGV[10]) - 1) end
    for _, id in ipairs(ids) do
      local other = entry_of(id)
      if other[7] ~= 1 then break end
      other[7] = 0
      if id ~= ARGV[3] or verdict == 'return' then other[5] = other[5] - 1 end
      if id == ARGV[3] then
        other[4] = now + wait
        if verdict == 'uncertain' then other[6] = 1 end
      end
      write_entry(id, other)
    end
    redis.call('HDEL', lane.o, 'T' .. name, 'U' .. name)
    if name == '' then refresh_replies() else
      redis.call('ZADD', lane.due, math.max(now + wait, entry[3]), entry[1] .. lane.ref .. name)
    end
  end
end
redis.call('HSET', KEYS[1], 'ou', lane.n, 'ot', lane.timers)
--@ resting
local more = 0
if verdict ~= 'extend' then
  local first
  if name == '' then first = select(2, first_reply()) else first = entry_of(name) end
  if first and first[4] <= now then more = 1 end
end
return {'OK', more}
