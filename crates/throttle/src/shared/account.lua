-- What a key has used of a quota is kept as the start and the end of the period, in seconds, what was used, and what was granted beyond the limit.
-- A process that asks says what it knows of its own period. Nothing that was used is forgotten because a clock is behind, or because this store lost it.
local function account(key, start, finish, known, extra)
  local kept = redis.call('GET', key)
  if not kept then
    return start, finish, known, extra
  end
  local before, last, used, granted = string.match(kept, '^(%S+) (%S+) (%S+) (%S+)$')
  before, last, used, granted = tonumber(before), tonumber(last), tonumber(used), tonumber(granted)
  if before < start then
    return start, finish, known, extra
  elseif before > start then
    return before, last, used, granted
  end
  return start, finish, math.max(used, known), granted
end

-- It outlives its period by a day, for clocks that are behind.
local function keep(key, start, finish, used, extra)
  local left = math.max(0, finish - tonumber(redis.call('TIME')[1])) + 86400
  redis.call('SET', key, string.format('%.0f %.0f %.0f %.0f', start, finish, used, extra), 'EX', left)
end

