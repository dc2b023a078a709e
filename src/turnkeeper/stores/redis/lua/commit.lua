-- commit: everything that one turn changes, at once or not at all. See ports/turns.py, `Turns.commit`.
--
-- KEYS  1 head  2 state  3 stage  4 inbox  5 receipts  6 answers  7 memos  8 effects  9 queue  10 due  11 recent
--       12 shelf of the old status  13 shelf of the new one  14 statuses  15 feed  16 tick  17 planned  18 wish  19 log
--       20 parts  21 dead  22 letters' bodies  23 letters  then: of every new part stage, value, etag; of every adopted
--       and then every retired one value, etag
-- ARGV  1 token 2 fence 3 version 4 generation 5 commit_id 6 take 7 state (none, given, staged) 8 state's bytes
--       9 status 10 forget 11 active 12 retain_ms or '' 13 slide 14 log? 15 log's bytes 16 log_keep 17 log_keep_ms
--       18 reply? 19 reply's bytes 20 lane_token 21 lane_ms 22 opt_out ('', 0, 1) 23 dead? 24 error 25 next
--       26 hand_out 27 lease_ms 28 ref 29 due ref 30 old status 31 window_ms 32 receipts kept 33 grace_ms
--       34 effects 35 cancelled 36 parts 37 adopted 38 retired; then of every effect: id, kind, due, name, payload;
--       every cancelled name; ids of the new, adopted and retired parts
-- gives COMMITTED version claimed repeated grant now (the grant as GRANTED of begin.lua, or false) | FENCED | CONFLICT version | TAKE handed_out | NOSTAGE
--       AGAIN status {part, ...}
-- writes all of it. Nothing before the last check; the first write (PERSIST) passes a full memory.
-- cost  O(messages taken + effects + cancelled + parts), each bounded by the ports.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local f = redis.call('HMGET', KEYS[1], 'o', 'f', 'v', 'g', 'h', 'k', 'a', 'e', 'y', 'c', 't', 'b', 'x', 'q', 's', 'l',
  'ou', 'ot', 'mm', 'ro', 'rn', 'pl', 'd', 'z')
local function num(i) return tonumber(f[i] or 0) end
local function flag(i) return ARGV[i] == '1' end
local wish = redis.call('HMGET', KEYS[18], 'out', 'n')
local version, generation, pending, ready = num(3), num(4), f[14] or '', num(9)
local attempts, errors, created, handed, status = num(7), num(8), num(10), num(5), f[15] or ''
local deadline, interrupted, fence = num(23), num(24), num(2)
local lane = {o = KEYS[8], q = KEYS[9], due = KEYS[10], ref = ARGV[29], n = num(17), timers = num(18)}
--@ effects
local function granted()
  local memos = f[19] == '1' and redis.call('HGETALL', KEYS[7]) or {}
  return {'GRANTED', now, fence, version, generation, deadline, created, f[11] or '', attempts, errors, interrupted,
    wish[1] == '1' and 1 or 0, #pending / 14 - handed, status, memos, redis.call('LRANGE', KEYS[4], 0, handed - 1), 0}
end
local effects, cancelled, parts = tonumber(ARGV[34]), tonumber(ARGV[35]), tonumber(ARGV[36])
local adopted, retired = tonumber(ARGV[37]), tonumber(ARGV[38])
local names = 38 + 5 * effects
local function refuse(...)
  redis.call('UNLINK', KEYS[3])
  for part = 1, parts do redis.call('UNLINK', KEYS[21 + 3 * part]) end
  return {...}
end
if not f[2] then return refuse('FENCED') end
if f[6] == ARGV[5] then
  local claimed = 0
  if redis.call('HGET', lane.o, 'T') == ARGV[20] and tonumber(redis.call('HGET', lane.o, 'U')) > now then
    for at = 39, names, 5 do
      local entry = ARGV[at + 1] == 'r' and entry_of(ARGV[at])
      if entry and entry[7] == 1 then claimed = 1 end
    end
  end
  return refuse('COMMITTED', version, claimed, 1, (f[1] or '') ~= '' and f[1] == ARGV[1] and granted(), now)
end
if f[1] ~= ARGV[1] or f[2] ~= ARGV[2] then return refuse('FENCED') end
if version ~= tonumber(ARGV[3]) or f[4] ~= ARGV[4] then return refuse('CONFLICT', version) end
local take = tonumber(ARGV[6])
if take > handed then return refuse('TAKE', handed) end
if status ~= ARGV[30] or (flag(10) and redis.call('ZCARD', KEYS[20]) > retired) then
  return {'AGAIN', status, redis.call('ZRANGE', KEYS[20], 0, -1)}
end
if ARGV[7] == 'staged' and redis.call('EXISTS', KEYS[3]) == 0 then return {'NOSTAGE'} end
for part = 1, parts do
  if redis.call('EXISTS', KEYS[21 + 3 * part]) == 0 then return {'NOSTAGE'} end
end

redis.call('PERSIST', KEYS[1])
local tick = math.max(time[1] * 1000000 + time[2], tonumber(redis.call('GET', KEYS[16]) or 0) + 1)
--@ taking
if cancelled > 0 then
  for at = names + 1, names + cancelled do
    for _, id in ipairs(meant(ARGV[at])) do
      local entry = entry_of(id)
      if entry then remove_entry(id, entry) end
    end
  end
  refresh_replies()
end
if ARGV[22] ~= '' then
  redis.call('HSET', KEYS[18], 'out', ARGV[22])
  wish = {ARGV[22], redis.call('HINCRBY', KEYS[18], 'n', ARGV[22])}
end
--@ putting

local has_state = ARGV[7] ~= 'none' and not flag(10)
if has_state then
  if ARGV[7] == 'staged' then redis.call('RENAME', KEYS[3], KEYS[2]) else redis.call('SET', KEYS[2], ARGV[8]) end
  if version == 0 or status ~= ARGV[9] then
    if version > 0 and redis.call('HINCRBY', KEYS[14], status, -1) <= 0 then redis.call('HDEL', KEYS[14], status) end
    redis.call('HINCRBY', KEYS[14], ARGV[9], 1)
    if status ~= ARGV[9] then redis.call('ZREM', KEYS[12], ARGV[28]) end
  end
  version, status = version + 1, ARGV[9]
end
--@ keeping
if has_state or flag(10) then
  redis.call('SET', KEYS[16], string.format('%.0f', tick))
  redis.call('ZADD', KEYS[15], tick, ARGV[28])
end

local grant = false
local left = #pending / 14
handed, interrupted = 0, 0
if left > 0 and created == 0 then created, expires = now, '' end
if left > 0 and flag(25) and ready <= now then
  fence, deadline, handed = math.max(now, fence + 1), now + tonumber(ARGV[27]), math.min(tonumber(ARGV[26]), left)
  attempts = attempts + 1
end
local owner = handed > 0 and ARGV[1] or ''
if owner == '' then deadline = 0 end
redis.call('HSET', KEYS[1], 'o', owner, 'f', fence, 'v', version, 'g', generation, 'h', handed, 'z', 0, 'd', deadline,
  'k', ARGV[5], 'a', attempts, 'e', errors, 'c', created, 'u', now, 't', f[11] or '', 'b', f[12] or '', 'x', expires,
  'q', pending, 's', status, 'ou', lane.n, 'ot', lane.timers)
if left > 0 then
  local oldest = struct.unpack('>I6', pending, 9)
  redis.call('ZADD', KEYS[10], math.max(owner ~= '' and deadline or oldest, ready), 'c' .. ARGV[29])
else
  redis.call('ZREM', KEYS[10], 'c' .. ARGV[29])
end
if created > 0 then
  redis.call('ZADD', KEYS[11], now, ARGV[28])
  local shelf = (has_state or flag(10)) and KEYS[13] or KEYS[12]
  redis.call('ZADD', shelf, now, ARGV[28])
end
if has_state or flag(10) then redis.call('HDEL', KEYS[1], 'L') end
if owner ~= '' then grant = granted() end
--@ quiescence
return {'COMMITTED', version, claimed, 0, grant, now}
