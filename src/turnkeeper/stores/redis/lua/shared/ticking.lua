-- shared/ticking: the number of a change, in microseconds: the time, and never one twice or backwards, even if the clock
-- goes back. Needs `time`. Scores go as text: a number of sixteen digits costs more to print than the whole command.
local function next_tick(key)
  local text = time[1] .. string.sub('00000' .. time[2], -6)
  if redis.call('ZADD', key, 'GT', 'CH', text, 't') == 0 then text = redis.call('ZINCRBY', key, 1, 't') end
  return tonumber(text), text
end
