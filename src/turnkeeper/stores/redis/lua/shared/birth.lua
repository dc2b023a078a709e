-- shared/birth: the head of a conversation that nobody heard of.
local function new_head()
  return {now, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, '', '', '',
    '', '', ''}
end
