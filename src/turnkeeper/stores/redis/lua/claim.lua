-- claim: take a lane's first due entries, in order.
--
-- KEYS  1 head  2 effects  3 due  4 wish
-- ARGV  1 lane ('' the replies')  2 token  3 lease_ms  4 limit  5 due ref  6 most entries of one claim
-- gives OK until now {id, kind, payload, attempt, committed, maybe_sent, suppressed, name, ...}
--       NONE: nothing is due, or somebody else holds it
-- writes effects, due, head. Passes a full memory.
-- cost  O(entries of the lane that are or get claimed), bounded.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
--@ head
local name, token, limit = ARGV[1], ARGV[2], tonumber(ARGV[4])
local h = read_head(KEYS[1])
local lane = {o = KEYS[2], due = KEYS[3], ref = ARGV[5]}
--@ effects
local ids = {name}
if name == '' then ids = h and first_replies(tonumber(ARGV[6])) or {} end
local entries = {}
for i, id in ipairs(ids) do
  entries[i] = h and entry_of(id)
  if not entries[i] or (name ~= '' and entries[i][1] == 'r') then
    for _, kind in ipairs(entries[i] and {} or {'j', 't', 'f'}) do redis.call('ZREM', lane.due, kind .. lane.ref .. name) end
    return {'NONE'} -- and what an erasure that was cut off left in the index is gone
  end
  if i > limit and entries[i][7] ~= 1 then break end
end
if #entries == 0 then
  redis.call('ZREM', lane.due, 'r' .. lane.ref)
  return {'NONE'}
end
local holder = {h[LANE_TOKEN], h[LANE_UNTIL]}
if name ~= '' then holder = redis.call('HMGET', lane.o, 'T' .. name, 'U' .. name) end
local until_ms = tonumber(holder[2] or 0)
local held = holder[1] and holder[1] ~= '' and until_ms > now
if held and holder[1] ~= token then return {'NONE'} end
if not held and entries[1][4] > now then return {'NONE'} end
local wish = redis.call('HMGET', KEYS[4], 'out', 'n')
redis.call('PERSIST', KEYS[1])
if not held then until_ms = 0 end
until_ms = math.max(until_ms, now + tonumber(ARGV[3]))
redis.call('ZADD', lane.due, until_ms, entries[1][1] .. lane.ref .. name)
if not held then
  local handed = 0
  for i, entry in ipairs(entries) do
    local was = entry[7]
    if was == 1 then entry[6] = 1 end
    entry[7] = 0
    if handed == i - 1 and i <= limit and entry[4] <= now then
      handed = i
      entry[5], entry[7] = entry[5] + 1, 1
    end
    if was == 1 or entry[7] == 1 then write_entry(ids[i], entry) end
  end
end
if name == '' then
  h[LANE_TOKEN], h[LANE_UNTIL] = token, until_ms
  write_head(KEYS[1], h)
else
  redis.call('HSET', lane.o, 'T' .. name, token, 'U' .. name, until_ms)
end
local answer = {}
for i, entry in ipairs(entries) do
  if entry[7] == 1 then
    local hushed = entry[1] == 'r' and wish[1] == '1' and tonumber(wish[2]) > entry[8]
    local payload = redis.call('HGET', lane.o, 'p' .. ids[i])
    for _, each in ipairs({ids[i], entry[1], payload, entry[5], entry[3], entry[6], hushed and 1 or 0, entry[9]}) do
      answer[#answer + 1] = each
    end
  end
end
return {'OK', until_ms, now, answer}
