  -- shared/putting: put the new effects in their lanes, and claim the replies for the committer if nothing unclaimed
  -- stands before them and all of them may go now.
  local had_replies, replies = h[REPLIES], 0
  if had_replies == 0 then
    claimed = lane_token ~= '' and 1 or 0
    h[FIRST_REPLY] = h[ORDER] + 1
  elseif h[LANE_TOKEN] ~= '' and h[LANE_TOKEN] == lane_token and h[LANE_UNTIL] > now then
    local ids = first_replies(had_replies)
    if entry_of(ids[#ids])[7] == 1 then claimed = 1 end
  end
  for _, effect in ipairs(effects) do
    if effect[2] == 'r' then
      replies = replies + 1
      if effect[3] > now then claimed = 0 end
    end
  end
  if replies == 0 then claimed = 0 end
  for at, effect in ipairs(effects) do
    local id, kind, due, name = unpack(effect)
    if kind == 't' and name ~= '' then
      for _, other in ipairs(named(name)) do remove_entry(other, entry_of(other)) end
    end
    local mine = kind == 'r' and claimed or 0
    h[ORDER], h[EFFECTS] = h[ORDER] + 1, h[EFFECTS] + 1
    local entry = cmsgpack.pack({kind, h[ORDER], now, due, mine, 0, mine, tick, name})
    if kind == 'r' then
      h[REPLIES] = h[REPLIES] + 1
      redis.call('HSET', lane.o, 'e' .. id, entry, 'p' .. id, ARGV[4 + at], 'r' .. h[ORDER], id)
    else
      redis.call('ZADD', lane.due, math.max(due, now), kind .. lane.ref .. id)
      redis.call('HSET', lane.o, 'e' .. id, entry, 'p' .. id, ARGV[4 + at])
      if kind == 't' then
        h[TIMERS] = h[TIMERS] + 1
        if name ~= '' then name_timer(name, id) end
      end
    end
  end
  if claimed == 1 then
    h[LANE_TOKEN] = lane_token
    h[LANE_UNTIL] = math.max(now + lane_ms, had_replies > 0 and h[LANE_UNTIL] or 0)
    redis.call('ZADD', lane.due, h[LANE_UNTIL], 'r' .. lane.ref)
  elseif replies > 0 and had_replies == 0 then
    refresh_replies()
  end
