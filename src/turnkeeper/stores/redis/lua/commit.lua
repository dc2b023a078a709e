-- commit: everything that one turn changes, at once or not at all. See ports/turns.py, `Turns.commit`.
--
-- KEYS  1 head  2 state  3 stage  4 inbox  5 effects  6 due  7 shelf of the old status  8 shelf of the new one  9 tick
--       10 wish  11 log  12 receipts  13 answers  14 memos  15 statuses  16 planned  17 gone  18 parts  19 people
--       20 dead  21 letters' bodies  22 letters  then: of every new part stage, value, etag; of every adopted and then
--       every retired one value, etag; of every other conversation to be silenced head, state, effects, receipts
-- ARGV  1 token  2 fence  3 version  4 generation  5 commit_id  6 take  7 state (none, given, staged)  8 its bytes
--       9 status  10 forget  11 active  12 retain_ms or ''  13 slide  14 log?  15 log's bytes  16 log_keep
--       17 log_keep_ms  18 reply?  19 reply's bytes  20 lane_token  21 lane_ms  22 opt_out ('', 0, 1)  23 dead?
--       24 error  25 next  26 hand_out  27 lease_ms  28 member  29 ref  30 due ref  31 old status  32 window_ms
--       33 receipts kept  34 grace_ms  35 effects  36 cancelled  37 parts  38 adopted  39 retired  40 silence all?
--       41 the person's other conversations that were known  42 parts that were known  43 silenced; then of every effect: id, kind, due, name,
--       payload; every cancelled name; ids of the new, adopted and retired parts; of every silenced one: ref, due ref
-- gives COMMITTED version claimed repeated grant (as GRANTED of begin.lua, or false) | FENCED | CONFLICT version
--       TAKE handed_out | NOSTAGE | AGAIN status {part, ...} {ref, ...}: declare these
-- writes all of it. Nothing before the last check; the first write (PERSIST) passes a full memory, the head comes last.
-- cost  some fifteen commands on the usual path; O(messages taken + effects + cancelled + parts), each bounded by the
--       ports; to silence O(unsettled effects of the person).
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
--@ head
local h = read_head(KEYS[1])
if not h then return {'FENCED'} end
local function flag(i) return ARGV[i] == '1' end
local lane = {o = KEYS[5], due = KEYS[6], ref = ARGV[30]}
--@ effects
--@ granting
local effects, cancelled, parts = tonumber(ARGV[35]), tonumber(ARGV[36]), tonumber(ARGV[37])
local adopted, retired = tonumber(ARGV[38]), tonumber(ARGV[39])
local first_name = 43 + 5 * effects
local function refuse(...)
  if ARGV[7] == 'staged' then redis.call('UNLINK', KEYS[3]) end
  for part = 1, parts do redis.call('UNLINK', KEYS[20 + 3 * part]) end
  return {...}
end
local wish = {false, false}
if effects > 0 or flag(25) or ARGV[22] ~= '' then wish = redis.call('HMGET', KEYS[10], 'out', 'n') end
local function following() return granted(KEYS[14], wish[1], redis.call('LRANGE', KEYS[4], 0, h[HANDED] - 1)) end
if h[COMMIT_ID] == ARGV[5] then
  local claimed = 0
  if h[LANE_TOKEN] ~= '' and h[LANE_TOKEN] == ARGV[20] and h[LANE_UNTIL] > now then
    for at = 44, first_name, 5 do
      local entry = ARGV[at + 1] == 'r' and entry_of(ARGV[at])
      if entry and entry[7] == 1 then claimed = 1 end
    end
  end
  return refuse('COMMITTED', h[VERSION], claimed, 1, h[OWNER] ~= '' and h[OWNER] == ARGV[1] and following())
end
if h[OWNER] ~= ARGV[1] or h[FENCE] ~= tonumber(ARGV[2]) then return refuse('FENCED') end
local version, status = h[VERSION], h[STATUS]
if version ~= tonumber(ARGV[3]) or h[GENERATION] ~= tonumber(ARGV[4]) then return refuse('CONFLICT', version) end
local take = tonumber(ARGV[6])
if take > h[HANDED] then return refuse('TAKE', h[HANDED]) end
if status ~= ARGV[31] or (flag(10) and redis.call('ZCARD', KEYS[18]) ~= tonumber(ARGV[42]))
  or (flag(40) and redis.call('ZCARD', KEYS[19]) ~= tonumber(ARGV[41])) then
  return {'AGAIN', status, redis.call('ZRANGE', KEYS[18], 0, -1), redis.call('ZRANGE', KEYS[19], 0, -1)}
end
if ARGV[7] == 'staged' and redis.call('EXISTS', KEYS[3]) == 0 then return {'NOSTAGE'} end
for part = 1, parts do
  if redis.call('EXISTS', KEYS[20 + 3 * part]) == 0 then return {'NOSTAGE'} end
end
-- A key of another type is met here, or by an index, before anything that counts is written.
if ARGV[7] ~= 'none' then redis.call('STRLEN', KEYS[2]) end
redis.call('HLEN', KEYS[5])
redis.call('LLEN', KEYS[4])
if flag(14) then redis.call('LLEN', KEYS[11]) end

redis.call('PERSIST', KEYS[1])
local has_state = ARGV[7] ~= 'none' and not flag(10)
local moves = has_state or flag(10)
local tick = next_tick(KEYS[9])
--@ taking
if flag(40) then
--@ resting
--@ silencing
end
if cancelled > 0 then
  for at = first_name + 1, first_name + cancelled do cancel(ARGV[at], false) end
  refresh_replies()
end
if ARGV[22] ~= '' then
  redis.call('HSET', KEYS[10], 'out', ARGV[22])
  wish = {ARGV[22], redis.call('HINCRBY', KEYS[10], 'n', ARGV[22])}
end
local claimed = 0
if effects > 0 then
--@ putting
end

if h[FIRST] == 0 then h[FIRST] = now end
if flag(11) then h[ACTIVE] = now end
h[EXPIRES] = 0
if ARGV[12] ~= '' then
  h[EXPIRES] = ((not flag(13) or h[ACTIVE] == 0) and h[FIRST] or h[ACTIVE]) + tonumber(ARGV[12])
end
if has_state then
  if version == 0 or status ~= ARGV[9] then
    if version > 0 and redis.call('HINCRBY', KEYS[15], status, -1) <= 0 then redis.call('HDEL', KEYS[15], status) end
    redis.call('HINCRBY', KEYS[15], ARGV[9], 1)
    if status ~= ARGV[9] then redis.call('ZREM', KEYS[7], ARGV[28]) end
    if version == 0 then redis.call('ZREM', KEYS[17], ARGV[28]) end
  end
  h[VERSION], h[STATUS] = version + 1, ARGV[9]
end
--@ keeping
if flag(10) then
  redis.call('UNLINK', KEYS[2], KEYS[3])
  redis.call('ZREM', KEYS[7], ARGV[28])
  redis.call('ZADD', KEYS[17], tick, ARGV[28])
  if version > 0 and redis.call('HINCRBY', KEYS[15], status, -1) <= 0 then redis.call('HDEL', KEYS[15], status) end
  h[GENERATION], h[VERSION], h[STATUS], h[CREATED] = math.max(now, h[GENERATION] + 1), 0, '', 0
  h[ACTIVE], h[FIRST], h[EXPIRES] = 0, 0, now
end

local left = #h[PENDING] / 14
h[HANDED], h[INTERRUPTED], h[COMMIT_ID], h[CHANGED] = 0, 0, ARGV[5], tick
if moves then h[TOLD], h[LOST] = tick, 0 end
if left > 0 and h[CREATED] == 0 then h[CREATED], h[EXPIRES] = now, 0 end
if left > 0 and flag(25) and h[READY] <= now then
  h[FENCE], h[DEADLINE] = math.max(now, h[FENCE] + 1), now + tonumber(ARGV[27])
  h[HANDED], h[ATTEMPTS] = math.min(tonumber(ARGV[26]), left), h[ATTEMPTS] + 1
else
  h[OWNER], h[DEADLINE] = '', 0
end
if left > 0 then
  local oldest = struct.unpack('>I6', h[PENDING], 9)
  redis.call('ZADD', KEYS[6], math.max(h[OWNER] ~= '' and h[DEADLINE] or oldest, h[READY]), 'c' .. ARGV[30])
else
  redis.call('ZREM', KEYS[6], 'c' .. ARGV[30])
end
if h[CREATED] > 0 then redis.call('ZADD', moves and KEYS[8] or KEYS[7], tick, ARGV[28]) end
-- Somebody looks at the latest when its time is over; that it became later is seen then. The half says: forgotten.
if h[EXPIRES] > 0 and (h[PLANNED] == 0 or h[EXPIRES] < h[PLANNED] or flag(10)) then
  h[PLANNED] = h[EXPIRES]
  redis.call('ZADD', KEYS[16], h[EXPIRES] + (flag(10) and 0.5 or 0), ARGV[29])
end
local ends
if h[EXPIRES] > 0 and h[EFFECTS] == 0 and left == 0 then ends = math.max(h[EXPIRES] - now, 0) + 60000 end
if has_state then
  if ARGV[7] == 'staged' then
    redis.call('RENAME', KEYS[3], KEYS[2])
    if ends then redis.call('PEXPIRE', KEYS[2], ends) else redis.call('PERSIST', KEYS[2]) end
  elseif ends then redis.call('SET', KEYS[2], ARGV[8], 'PX', ends)
  else redis.call('SET', KEYS[2], ARGV[8]) end
elseif ends then redis.call('PEXPIRE', KEYS[2], ends)
else redis.call('PERSIST', KEYS[2]) end
if ends and h[HAS_OLDER] == 1 then redis.call('PEXPIRE', KEYS[12], tonumber(ARGV[32]) + 60000) end
write_head(KEYS[1], h, ends and ends + tonumber(ARGV[32]))
return {'COMMITTED', h[VERSION], claimed, 0, h[OWNER] ~= '' and following()}
