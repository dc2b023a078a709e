-- shared/ticking: the number of a change, in microseconds. Needs `time`. Scores go as text: a number of sixteen digits
-- costs the server more to print than the whole command.
-- The number of a change: the time, and never one twice or backwards, even if the clock goes back.
local function next_tick(key)
  local text = time[1] .. string.sub('00000' .. time[2], -6)
  if redis.call('ZADD', key, 'GT', 'CH', text, 't') == 0 then text = redis.call('ZINCRBY', key, 1, 't') end
  return tonumber(text), text
end

-- Write something that replicas and the log of the server get, although nothing is new: who repeats a request on another
-- connection waits for that. Passes a full memory.
local function write_again(index, key)
  redis.call('ZREM', index, '')
  next_tick(key)
end
