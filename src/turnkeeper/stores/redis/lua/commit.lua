-- commit: everything that one turn changes, at once or not at all. See ports/turns.py, `Turns.commit`.
--
-- KEYS  1 head  2 state  3 stage  4 inbox  5 effects  6 due  7 shelf of the old status  8 shelf of the new one  9 tick
--       10 wish  11 log  12 receipts  13 answers  14 memos  15 statuses  16 planned  17 gone  18 parts  19 people
--       20 dead  21 letters' bodies  22 letters  then: of every new part stage, value, etag; of every adopted and then
--       every retired one value, etag; of every other conversation to be silenced head, state, effects, receipts
-- ARGV  1 MessagePack values, one behind the other, as named below  2 state's bytes  3 log's bytes  4 reply's bytes; then the
--       payloads of the effects
-- gives COMMITTED version claimed repeated now; with a next turn also head opted_out or false {memo, result, ...}
--       {message, ...} | FENCED | CONFLICT version | TAKE handed_out | NOSTAGE
--       AGAIN status {part, ...} {ref, ...}: declare these
-- writes all of it. Nothing before the last check; the first write (PERSIST) passes a full memory, the head comes last.
-- cost  some fifteen commands on the usual path; O(messages taken + effects + cancelled + parts), each bounded by the
--       ports; to silence O(unsettled effects of the person).
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
--@ head
local h = read_head(KEYS[1])
if not h then return {'FENCED'} end
local token, fence, from_version, from_generation, commit_id, take, how, new_status, forget, active, retain_ms, slide,
  has_log, keep, keep_ms, has_reply, lane_token, lane_ms, opt_out, is_dead, failure, hands_on, hand_out, lease, member,
  ref, due_ref, old_status, window, receipts_kept, grace, effects, cancelled, parts, adopted, retired, silences,
  known_others, known_parts, silenced = cmsgpack.unpack(ARGV[1])
local lane = {o = KEYS[5], due = KEYS[6], ref = due_ref}
--@ effects
local function refuse(...)
  if how == 'staged' then redis.call('UNLINK', KEYS[3]) end
  for part = 1, #parts do redis.call('UNLINK', KEYS[20 + 3 * part]) end
  return {...}
end
local function committed(packed, claimed, repeated)
  if h[OWNER] == '' or h[OWNER] ~= token then return {'COMMITTED', h[VERSION], claimed, repeated} end
  return {'COMMITTED', h[VERSION], claimed, repeated, now, packed, redis.call('HGET', KEYS[10], 'out'),
    h[HAS_MEMOS] == 1 and redis.call('HGETALL', KEYS[14]) or {}, redis.call('LRANGE', KEYS[4], 0, h[HANDED] - 1)}
end
if h[COMMIT_ID] == commit_id then
  local claimed = 0
  if h[LANE_TOKEN] ~= '' and h[LANE_TOKEN] == lane_token and h[LANE_UNTIL] > now then
    for _, effect in ipairs(effects) do
      local entry = effect[2] == 'r' and entry_of(effect[1])
      if entry and entry[7] == 1 then claimed = 1 end
    end
  end
  refuse()
  write_again(KEYS[6], KEYS[9])
  return committed(cmsgpack.pack(h), claimed, 1)
end
if h[OWNER] ~= token or h[FENCE] ~= fence then return refuse('FENCED') end
local version, status = h[VERSION], h[STATUS]
if version ~= from_version or h[GENERATION] ~= from_generation then return refuse('CONFLICT', version) end
if take > h[HANDED] then return refuse('TAKE', h[HANDED]) end
if status ~= old_status or (forget and redis.call('ZCARD', KEYS[18]) ~= known_parts)
  or (silences and redis.call('ZCARD', KEYS[19]) ~= known_others) then
  return {'AGAIN', status, redis.call('ZRANGE', KEYS[18], 0, -1), redis.call('ZRANGE', KEYS[19], 0, -1)}
end
if how == 'staged' and redis.call('EXISTS', KEYS[3]) == 0 then return {'NOSTAGE'} end
for part = 1, #parts do
  if redis.call('EXISTS', KEYS[20 + 3 * part]) == 0 then return {'NOSTAGE'} end
end
--@ meeting

redis.call('PERSIST', KEYS[1])
local has_state = how ~= 'none' and not forget
local moves = has_state or forget
local tick = next_tick(KEYS[9])
local shelf = moves and KEYS[8] or KEYS[7]
if not forget then redis.call('ZADD', shelf, tick, member) end
--@ taking
if silences then
--@ resting
--@ silencing
end
if #cancelled > 0 then
  for _, name in ipairs(cancelled) do cancel(name, false) end
  refresh_replies()
end
if opt_out ~= '' then
  redis.call('HSET', KEYS[10], 'out', opt_out)
  if opt_out == '1' then redis.call('HSET', KEYS[10], 'n', tick) end
end
local claimed = 0
if #effects > 0 then
--@ putting
end

if h[FIRST] == 0 then h[FIRST] = now end
if active then h[ACTIVE] = now end
h[EXPIRES] = 0
if retain_ms then
  h[EXPIRES] = ((not slide or h[ACTIVE] == 0) and h[FIRST] or h[ACTIVE]) + retain_ms
end
if has_state then
  if version == 0 or status ~= new_status then
    if version > 0 and redis.call('HINCRBY', KEYS[15], status, -1) <= 0 then redis.call('HDEL', KEYS[15], status) end
    redis.call('HINCRBY', KEYS[15], new_status, 1)
    if status ~= new_status then redis.call('ZREM', KEYS[7], member) end
    if version == 0 then redis.call('ZREM', KEYS[17], member) end
  end
  h[VERSION], h[STATUS] = version + 1, new_status
end
--@ keeping
if forget then
  redis.call('UNLINK', KEYS[2], KEYS[3])
  redis.call('ZREM', KEYS[7], member)
  redis.call('ZADD', KEYS[17], tick, member)
  if version > 0 and redis.call('HINCRBY', KEYS[15], status, -1) <= 0 then redis.call('HDEL', KEYS[15], status) end
  h[GENERATION], h[VERSION], h[STATUS], h[CREATED] = math.max(now, h[GENERATION] + 1), 0, '', 0
  h[ACTIVE], h[FIRST], h[EXPIRES] = 0, 0, now
end

local left = #h[PENDING] / 14
h[HANDED], h[INTERRUPTED], h[COMMIT_ID], h[CHANGED] = 0, 0, commit_id, tick
if moves then h[TOLD], h[LOST] = tick, 0 end
if left > 0 and h[CREATED] == 0 then h[CREATED], h[EXPIRES] = now, 0 end
if left > 0 and hands_on and h[READY] <= now then
  h[FENCE], h[DEADLINE] = math.max(now, h[FENCE] + 1), now + lease
  h[HANDED], h[ATTEMPTS] = math.min(hand_out, left), h[ATTEMPTS] + 1
else
  h[OWNER], h[DEADLINE] = '', 0
end
if left > 0 then
  local oldest = struct.unpack('>I6', h[PENDING], 9)
  redis.call('ZADD', KEYS[6], math.max(h[OWNER] ~= '' and h[DEADLINE] or oldest, h[READY]), 'c' .. due_ref)
else
  redis.call('ZREM', KEYS[6], 'c' .. due_ref)
end
if forget and left > 0 then redis.call('ZADD', KEYS[8], tick, member) end
-- Somebody looks at the latest when its time is over; that it became later is seen then. The half says: forgotten.
if h[EXPIRES] > 0 and (h[PLANNED] == 0 or h[EXPIRES] < h[PLANNED] or forget) then
  h[PLANNED] = h[EXPIRES]
  redis.call('ZADD', KEYS[16], h[EXPIRES] + (forget and 0.5 or 0), ref)
end
local ends
if h[EXPIRES] > 0 and h[EFFECTS] == 0 and left == 0 then ends = math.max(h[EXPIRES] - now, 0) + 60000 end
if has_state then
  if how == 'staged' then
    redis.call('RENAME', KEYS[3], KEYS[2])
    if ends then redis.call('PEXPIRE', KEYS[2], ends) else redis.call('PERSIST', KEYS[2]) end
  elseif ends then redis.call('SET', KEYS[2], ARGV[2], 'PX', ends)
  else redis.call('SET', KEYS[2], ARGV[2]) end
elseif ends then redis.call('PEXPIRE', KEYS[2], ends)
else redis.call('PERSIST', KEYS[2]) end
if ends and h[HAS_OLDER] == 1 then redis.call('PEXPIRE', KEYS[12], window + 60000) end
return committed(write_head(KEYS[1], h, ends and ends + window), claimed, 0)
