-- shared/again: write something that replicas and the log of the server get, although nothing is new: who repeats a request
-- on another connection waits for that. Needs shared/ticking. Passes a full memory.
local function write_again(index, key)
  redis.call('ZREM', index, '')
  next_tick(key)
end
