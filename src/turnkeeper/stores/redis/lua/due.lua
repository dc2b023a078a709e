-- due: what of these flows somebody must look at now, and when the next thing will be.
--
-- KEYS  the due sets of one partition
-- ARGV  1 limit  2 number of sets  3 with jobs (0, 1)
-- gives OK now next or '' {member, due, ...}
-- writes nothing.
-- cost  O(sets * limit); without jobs up to 32 times that, to get past them.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local items, next_ms = {}, ''
for set = 1, tonumber(ARGV[2]) do
  local limit, enough = tonumber(ARGV[1]), #items + 2 * ARGV[1]
  for page = 0, ARGV[3] == '1' and 0 or 31 do
    local found = redis.call('ZRANGEBYSCORE', KEYS[set], '-inf', now, 'WITHSCORES', 'LIMIT', page * limit, limit)
    for at = 1, #found, 2 do
      if ARGV[3] == '1' or string.sub(found[at], 1, 1) ~= 'j' then
        items[#items + 1] = found[at]
        items[#items + 1] = found[at + 1]
      end
    end
    if #found < 2 * limit or #items >= enough then break end
  end
  local later = redis.call('ZRANGEBYSCORE', KEYS[set], '(' .. string.format('%.0f', now), '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
  if later[2] and (next_ms == '' or tonumber(later[2]) < next_ms) then next_ms = tonumber(later[2]) end
end
return {'OK', now, next_ms, items}
