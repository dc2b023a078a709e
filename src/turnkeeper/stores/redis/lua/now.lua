-- now: tell the server's time, for a reader that judges by it. With an etag's key also what stands there.
--
-- KEYS  the etags of documents in one partition, if any
-- ARGV  1 number of etags
-- gives OK now {etag or false, expires, ...}
-- writes nothing.
-- cost  O(etags).
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local found = {}
for at = 1, tonumber(ARGV[1]) do
  local etag = redis.call('HMGET', KEYS[at], 'e', 'x')
  found[2 * at - 1], found[2 * at] = etag[1], etag[2] or ''
end
return {'OK', now, found}
