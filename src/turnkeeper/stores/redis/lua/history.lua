-- history: read the newest entries of the log before a number.
--
-- KEYS  1 head  2 log
-- ARGV  1 before, or ''  2 limit
-- gives OK now keep_ms or '' {entry, ...}, oldest first; an entry is "seq at_ms version generation " and its bytes
-- writes nothing.
-- cost  O(limit).
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
--@ head
local h = read_head(KEYS[1])
local last = redis.call('LINDEX', KEYS[2], -1)
if not last then return {'OK', now, '', {}} end
local stop = -1
if ARGV[1] ~= '' then
  stop = math.min(tonumber(ARGV[1]) - tonumber(string.match(last, '^%d+')) - 2, -1)
end
local start = stop - tonumber(ARGV[2]) + 1
local keeps = h and h[LOG_KEEP_MS] > 0
if keeps and h[LOG_KEEP] > 0 then start = math.max(start, -h[LOG_KEEP]) end
local found = start <= stop and redis.call('LRANGE', KEYS[2], start, stop) or {}
local keep_ms, left = keeps and h[LOG_KEEP_MS] or '', h and -1 or redis.call('PTTL', KEYS[2])
if left > 0 then -- the head went first, and the log goes when its newest entry is too old
  keep_ms = left + now - tonumber(string.match(last, '^%d+ (%d+) '))
end
return {'OK', now, keep_ms, found}
