-- due: what of these flows somebody must look at now, and when the next thing will be.
--
-- KEYS  the due sets of one partition
-- ARGV  1 limit  2 number of sets
-- gives OK now next or '' {member, due, ...}
-- writes nothing.
-- cost  O(sets * limit).
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local items, next_ms = {}, ''
for set = 1, tonumber(ARGV[2]) do
  local found = redis.call('ZRANGEBYSCORE', KEYS[set], '-inf', now, 'WITHSCORES', 'LIMIT', 0, ARGV[1])
  for _, each in ipairs(found) do items[#items + 1] = each end
  local later = redis.call('ZRANGEBYSCORE', KEYS[set], '(' .. string.format('%.0f', now), '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
  if later[2] and (next_ms == '' or tonumber(later[2]) < next_ms) then next_ms = tonumber(later[2]) end
end
return {'OK', now, next_ms, items}
