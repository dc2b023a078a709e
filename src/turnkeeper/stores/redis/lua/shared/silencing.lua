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
  local mine, at_name = {h, lane}, first_name + cancelled + parts + adopted + retired
  local at_key = 22 + 3 * parts + 2 * adopted + 2 * retired
  for other = 1, tonumber(ARGV[43]) do
    local key, name = at_key + 4 * other - 3, at_name + 2 * other - 1
    h = read_head(KEYS[key])
    if h and h[EFFECTS] > 0 then
      lane = {o = KEYS[key + 2], due = KEYS[6], ref = ARGV[name + 1]}
      silence()
      rest({head = KEYS[key], state = KEYS[key + 1], receipts = KEYS[key + 3], planned = KEYS[16]}, ARGV[name],
        tonumber(ARGV[32]))
    end
  end
  h, lane = mine[1], mine[2]
