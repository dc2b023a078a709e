-- shared/head: a conversation's head, one MessagePack list that is read whole and written whole. Needs `now`.
-- The order is that of `heads.Head`. A time of 0 is none; CHANGED and TOLD are ticks, in microseconds.
local GENERATION, VERSION, FENCE, CREATED, CHANGED, TOLD, ACTIVE, FIRST, EXPIRES = 1, 2, 3, 4, 5, 6, 7, 8, 9
local DEADLINE, HANDED, INTERRUPTED, ATTEMPTS, ERRORS, READY, NEXT_SEQ = 10, 11, 12, 13, 14, 15, 16
local LOG_SEQ, LOG_KEEP, LOG_KEEP_MS, LOG_ENDS, PLANNED = 17, 18, 19, 20, 21
local HAS_TTL, HAS_MEMOS, HAS_OLDER, TAKEN, LOST = 22, 23, 24, 25, 26
local EFFECTS, TIMERS, ORDER, FIRST_REPLY, REPLIES, LANE_UNTIL = 27, 28, 29, 30, 31, 32
local HAS_ANSWERS, STATUS, OWNER, COMMIT_ID, LANE_TOKEN, PENDING, RECEIPTS = 33, 34, 35, 36, 37, 38, 39

local function read_head(key)
  local raw = redis.call('GET', key)
  if not raw then return nil end
  -- The list's header says 39; behind it the fields come at once, which is faster than a table that grows.
  local head = string.sub(raw, 1, 3) == '\220\0\39' and {select(3, pcall(cmsgpack.unpack_limit, raw, 39, 3))}
  if not head or #head ~= 39 then error('FOREIGN ' .. key) end
  return head
end

-- Written last: whatever fails before it has changed nothing that counts. Returns what it wrote.
local function write_head(key, head, lives)
  head[HAS_TTL] = lives and 1 or 0
  local packed = cmsgpack.pack(head)
  if lives then redis.call('SET', key, packed, 'PX', lives) else redis.call('SET', key, packed) end
  return packed
end
