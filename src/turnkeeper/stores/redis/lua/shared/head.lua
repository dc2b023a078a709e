-- shared/head: a conversation's head, one MessagePack list that is read whole and written whole. Needs `now`.
-- The order is that of `heads.Head`. A time of 0 is none; CHANGED and TOLD are ticks, in microseconds. FENCE to PLANNED
-- are written as their distance to GENERATION and TOLD as its distance to CHANGED: most take five bytes instead of nine.
local GENERATION, VERSION, FENCE, CREATED, ACTIVE, FIRST, EXPIRES, LOG_ENDS, PLANNED = 1, 2, 3, 4, 5, 6, 7, 8, 9
local CHANGED, TOLD, DEADLINE, HANDED, INTERRUPTED, ATTEMPTS, ERRORS, READY = 10, 11, 12, 13, 14, 15, 16, 17
local NEXT_SEQ, LOG_SEQ, LOG_KEEP, LOG_KEEP_MS = 18, 19, 20, 21
local HAS_TTL, HAS_MEMOS, HAS_OLDER, TAKEN, LOST = 22, 23, 24, 25, 26
local EFFECTS, TIMERS, ORDER, FIRST_REPLY, REPLIES, LANE_UNTIL = 27, 28, 29, 30, 31, 32
local HAS_ANSWERS, STATUS, OWNER, COMMIT_ID, LANE_TOKEN, PENDING, RECEIPTS = 33, 34, 35, 36, 37, 38, 39

local function read_head(key)
  local raw = redis.call('GET', key)
  if not raw then return nil end
  -- The list's header says 39; behind it the fields come at once, which is faster than a table that grows.
  local head = string.sub(raw, 1, 3) == '\220\0\39' and {select(3, pcall(cmsgpack.unpack_limit, raw, 39, 3))}
  if not head or #head ~= 39 then error('FOREIGN ' .. key) end
  local from, told = head[1], head[11]
  for field = 3, 9 do
    local apart = head[field]
    if apart > 0 then head[field] = from + apart - 1 elseif apart < 0 then head[field] = from + apart end
  end
  if told ~= 0 then head[11] = told > 0 and head[10] + told - 1 or head[10] + told end
  return head
end

-- The head as it is written, and of no use to the caller afterwards.
local function pack_head(head)
  local from, told = head[1], head[11]
  for field = 3, 9 do
    local at = head[field]
    if at >= from then head[field] = at - from + 1 elseif at ~= 0 then head[field] = at - from end
  end
  if told ~= 0 then head[11] = told >= head[10] and told - head[10] + 1 or told - head[10] end
  return cmsgpack.pack(head)
end

-- Written last: whatever fails before it has changed nothing that counts. Returns what it wrote, see `pack_head`.
local function write_head(key, head, lives)
  head[22] = lives and 1 or 0
  local packed = pack_head(head)
  if lives then redis.call('SET', key, packed, 'PX', lives) else redis.call('SET', key, packed) end
  return packed
end
