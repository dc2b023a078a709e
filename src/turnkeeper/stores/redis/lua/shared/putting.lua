-- shared/putting: put the new effects in their lanes, and claim the replies for the committer if nothing unclaimed
-- stands before them and all of them may go now. `effects` is flat: id, kind, due, name, ...
  local had_replies, replies, named_timers = h[REPLIES], 0, false
  claimed = lane_token ~= '' and 1 or 0
  for at = 1, #effects, 4 do
    if effects[at + 1] == 'r' then
      replies = replies + 1
      if effects[at + 2] > now then claimed = 0 end
    elseif effects[at + 3] ~= '' then
      named_timers = true
    end
  end
  if replies == 0 then claimed = 0 end
  local refresh, replace_timer
  if rare or named_timers or (replies > 0 and (had_replies > 0 or claimed == 0)) then
    local lane = {o = KEYS[4], due = KEYS[5], ref = due_ref}
--@ effects
    if silences then
--@ silencing
    end
    if rare and cancelled[1] then
      for _, name in ipairs(cancelled) do cancel(name, false) end
      refresh_replies()
    end
    had_replies = h[REPLIES]
    if claimed == 1 and had_replies > 0 then
      local ids = h[LANE_TOKEN] == lane_token and h[LANE_UNTIL] > now and first_replies(had_replies)
      if not ids or entry_of(ids[#ids])[7] ~= 1 then claimed = 0 end
    end
    refresh = refresh_replies
    replace_timer = function(name, id)
      for _, other in ipairs(named(name)) do remove_entry(other, entry_of(other)) end
      name_timer(name, id)
    end
  end
  if had_replies == 0 then h[FIRST_REPLY] = h[ORDER] + 1 end
  for at = 1, #effects, 4 do
    local id, kind, due, name = effects[at], effects[at + 1], effects[at + 2], effects[at + 3]
    if kind == 't' and name ~= '' then replace_timer(name, id) end
    local mine, order = kind == 'r' and claimed or 0, h[ORDER] + 1
    h[ORDER], h[EFFECTS] = order, h[EFFECTS] + 1
    local entry = cmsgpack.pack({kind, order, now, due, mine, 0, mine, tick, name})
    local payload = ARGV[5 + math.floor(at / 4)]
    if kind == 'r' then
      h[REPLIES] = h[REPLIES] + 1
      redis.call('HSET', KEYS[4], 'e' .. id, entry, 'p' .. id, payload, 'r' .. order, id)
    else
      redis.call('ZADD', KEYS[5], math.max(due, now), kind .. due_ref .. id)
      redis.call('HSET', KEYS[4], 'e' .. id, entry, 'p' .. id, payload)
      if kind == 't' then h[TIMERS] = h[TIMERS] + 1 end
    end
  end
  if claimed == 1 then
    h[LANE_TOKEN] = lane_token
    h[LANE_UNTIL] = math.max(now + lane_ms, had_replies > 0 and h[LANE_UNTIL] or 0)
    redis.call('ZADD', KEYS[5], h[LANE_UNTIL], 'r' .. due_ref)
  elseif replies > 0 and had_replies == 0 then
    refresh()
  end
