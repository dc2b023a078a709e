-- commit: everything that one turn changes, at once or not at all. See ports/turns.py, `Turns.commit`.
--
-- KEYS  1 head  2 state  3 inbox  4 effects  5 due  6 shelf of the old status  7 shelf of the new one  8 tick  9 wish
--       10 log  11 receipts  12 answers  13 memos  14 statuses  15 planned  16 gone; with a stage or rare values 17 stage;
--       with rare values 18 parts  19 people  20 dead  21 letters' bodies  22 letters  then: of every new part stage,
--       value, etag; of every adopted and then every retired one value, etag; of every other conversation to be silenced
--       head, state, effects, receipts
-- ARGV  1 MessagePack values, one behind the other, as named below, the rare ones in a list  2 state's bytes
--       3 "version generation " and the log's bytes  4 reply's bytes; then the payloads of the effects
-- gives COMMITTED version claimed repeated now; with a next turn also head opted_out or false {memo, result, ...}
--       {message, ...} | FENCED | CONFLICT version | TAKE handed_out | NOSTAGE
--       AGAIN status {part, ...} {ref, ...}: declare these
-- writes all of it. Nothing before the last check; the first write (PERSIST) passes a full memory, the head comes last.
-- cost  some thirteen commands on the usual path; O(messages taken + effects + cancelled + parts), each bounded by the
--       ports; to silence O(unsettled effects of the person).
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
--@ head
--@ ticking
local h = read_head(KEYS[1])
if not h then return {'FENCED'} end
local token, fence, from_version, from_generation, commit_id, take, how, new_status, active, retain_ms, slide, has_log,
  keep, keep_ms, has_reply, lane_token, lane_ms, hands_on, hand_out, lease, member, ref, due_ref, old_status, window,
  receipts_life, receipts_kept, effects, rare = cmsgpack.unpack(ARGV[1])
local forget, opt_out, failure, grace, cancelled, parts, adopted, retired, silences, known_others, known_parts, silenced
if rare then
  forget, opt_out, failure, grace, cancelled, parts, adopted, retired, silences, known_others, known_parts, silenced =
    unpack(rare)
end
local version, status, claimed = h[VERSION], h[STATUS], 0
local repeats, refused = h[COMMIT_ID] == commit_id, nil
if repeats then -- it stands already
elseif h[OWNER] ~= token or h[FENCE] ~= fence then refused = {'FENCED'}
elseif version ~= from_version or h[GENERATION] ~= from_generation then refused = {'CONFLICT', version}
elseif take > h[HANDED] then refused = {'TAKE', h[HANDED]} end
if repeats or refused then
  if how == 'staged' then redis.call('UNLINK', KEYS[17]) end
  for part = 1, rare and #parts or 0 do redis.call('UNLINK', KEYS[20 + 3 * part]) end
  if refused then return refused end
  if h[LANE_TOKEN] ~= '' and h[LANE_TOKEN] == lane_token and h[LANE_UNTIL] > now then
    for at = 1, #effects, 4 do
      local raw = effects[at + 1] == 'r' and redis.call('HGET', KEYS[4], 'e' .. effects[at])
      if raw and cmsgpack.unpack(raw)[7] == 1 then claimed = 1 end
    end
  end
--@ again
  write_again(KEYS[5], KEYS[8])
  local packed = pack_head(h)
--@ answering
end
if status ~= old_status or (forget and redis.call('ZCARD', KEYS[18]) ~= known_parts)
  or (silences and redis.call('ZCARD', KEYS[19]) ~= known_others) then
  return {'AGAIN', status, rare and redis.call('ZRANGE', KEYS[18], 0, -1) or {},
    rare and redis.call('ZRANGE', KEYS[19], 0, -1) or {}}
end
if how == 'staged' and redis.call('EXISTS', KEYS[17]) == 0 then return {'NOSTAGE'} end
for part = 1, rare and #parts or 0 do
  if redis.call('EXISTS', KEYS[20 + 3 * part]) == 0 then return {'NOSTAGE'} end
end
--@ meeting

redis.call('PERSIST', KEYS[1])
local has_state = how ~= 'none' and not forget
local tick, tick_text = next_tick(KEYS[8])
local shelf = has_state and KEYS[7] or KEYS[6]
if not forget then redis.call('ZADD', shelf, tick_text, member) end
--@ taking
if rare and opt_out ~= '' then
  redis.call('HSET', KEYS[9], 'out', opt_out)
  if opt_out == '1' then redis.call('HSET', KEYS[9], 'n', tick_text) end
end
if rare or effects[1] then
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
    if version > 0 and redis.call('HINCRBY', KEYS[14], status, -1) <= 0 then redis.call('HDEL', KEYS[14], status) end
    redis.call('HINCRBY', KEYS[14], new_status, 1)
    if status ~= new_status then redis.call('ZREM', KEYS[6], member) end
    if version == 0 then redis.call('ZREM', KEYS[16], member) end
  end
  h[VERSION], h[STATUS] = version + 1, new_status
end
--@ keeping
if forget then
  redis.call('UNLINK', KEYS[2], KEYS[17])
  redis.call('ZREM', KEYS[6], member)
  redis.call('ZADD', KEYS[16], tick_text, member)
  if version > 0 and redis.call('HINCRBY', KEYS[14], status, -1) <= 0 then redis.call('HDEL', KEYS[14], status) end
  h[GENERATION], h[VERSION], h[STATUS], h[CREATED] = math.max(now, h[GENERATION] + 1), 0, '', 0
  h[ACTIVE], h[FIRST], h[EXPIRES] = 0, 0, now
end

local left = #h[PENDING] / 14
h[HANDED], h[INTERRUPTED], h[COMMIT_ID], h[CHANGED] = 0, 0, commit_id, tick
if has_state or forget then h[TOLD], h[LOST] = tick, 0 end
if left > 0 and hands_on and h[READY] <= now then
  h[FENCE], h[DEADLINE] = math.max(now, h[FENCE] + 1), now + lease
  h[HANDED], h[ATTEMPTS] = math.min(hand_out, left), h[ATTEMPTS] + 1
else
  h[OWNER], h[DEADLINE] = '', 0
end
if left > 0 then
  if h[CREATED] == 0 then h[CREATED], h[EXPIRES] = now, 0 end
  local oldest = struct.unpack('>I6', h[PENDING], 9)
  redis.call('ZADD', KEYS[5], math.max(h[OWNER] ~= '' and h[DEADLINE] or oldest, h[READY]), 'c' .. due_ref)
  if forget then redis.call('ZADD', KEYS[7], tick_text, member) end
else
  redis.call('ZREM', KEYS[5], 'c' .. due_ref)
end
-- Somebody looks at the latest when its time is over; that it became later is seen then. The half says: forgotten.
if h[EXPIRES] > 0 and (h[PLANNED] == 0 or h[EXPIRES] < h[PLANNED] or forget) then
  h[PLANNED] = h[EXPIRES]
  redis.call('ZADD', KEYS[15], h[EXPIRES] + (forget and 0.5 or 0), ref)
end
local ends
if h[EXPIRES] > 0 and h[EFFECTS] == 0 and left == 0 then ends = math.max(h[EXPIRES] - now, 0) + 60000 end
if how == 'given' and has_state then
  if ends then redis.call('SET', KEYS[2], ARGV[2], 'PX', ends) else redis.call('SET', KEYS[2], ARGV[2]) end
else
  if how == 'staged' and has_state then redis.call('RENAME', KEYS[17], KEYS[2]) end
  if ends then redis.call('PEXPIRE', KEYS[2], ends) else redis.call('PERSIST', KEYS[2]) end
end
if ends and h[HAS_OLDER] == 1 then redis.call('PEXPIRE', KEYS[11], receipts_life) end
local packed = write_head(KEYS[1], h, ends and ends + window)
--@ answering
