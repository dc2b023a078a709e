  -- shared/silencing: cancel everything of the person in this flow that is not handed out, here and elsewhere.
  local function silence()
    if h[EFFECTS] == 0 then return end
    local ids = {}
    for _, field in ipairs(redis.call('HKEYS', lane.o)) do
      if string.sub(field, 1, 1) == 'e' then ids[#ids + 1] = string.sub(field, 2) end
    end
    for _, id in ipairs(ids) do
      local entry = entry_of(id)
      if not is_claimed(id, entry) then remove_entry(id, entry) end
    end
    refresh_replies()
  end
  silence()
  local mine, at_key = {h, lane}, 22 + 3 * #parts + 2 * #adopted + 2 * #retired
  for other, names in ipairs(silenced) do
    local key = at_key + 4 * other - 3
    h = read_head(KEYS[key])
    if h and h[EFFECTS] > 0 then
      lane = {o = KEYS[key + 2], due = KEYS[5], ref = names[2]}
      silence()
      local keys, ref = {head = KEYS[key], state = KEYS[key + 1], receipts = KEYS[key + 3], planned = KEYS[15]}, names[1]
--@ resting
    end
  end
  h, lane = mine[1], mine[2]
