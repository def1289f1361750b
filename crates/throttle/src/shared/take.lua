-- Takes from all buckets or from none. KEYS: the buckets. ARGV: for each the microseconds that a token counts for, the burst, the cost, and how many
-- tokens to take if there are so many.
-- A bucket is kept as the time at which it is full again, and the microseconds that a token counted for then.
-- Returns 0, or which bucket refuses and for how many microseconds; then of each that was looked at what it has spent, in microseconds, and what was taken.
local time = redis.call('TIME')
-- Times count from a day in 2023, so that a fraction of a microsecond is kept.
local now = (tonumber(time[1]) - 1700000000) * 1000000 + tonumber(time[2])
local reply = {0, 0}
local spent = {}
for i = 1, #KEYS do
  local period, burst, cost = tonumber(ARGV[i * 4 - 3]), tonumber(ARGV[i * 4 - 2]), tonumber(ARGV[i * 4 - 1])
  local most = period * burst
  local debt = 0
  local kept = redis.call('GET', KEYS[i])
  if kept then
    local full, before = string.match(kept, '^(%S+) (%S+)$')
    debt = math.max(0, tonumber(full) - now)
    if tonumber(before) ~= period then
      debt = debt / tonumber(before) * period
    end
    -- More than a burst is never spent, unless the clock was set back or the limit was lowered.
    debt = math.min(debt, most)
  end
  local over = debt + period * cost - most
  -- Less than that is what rounding makes of nothing.
  if over > 0.01 then
    reply[1], reply[2] = i, math.ceil(over)
    reply[i * 2 + 1], reply[i * 2 + 2] = math.ceil(debt), 0
    return reply
  end
  local taken = math.min(tonumber(ARGV[i * 4]), math.floor((most - debt + 0.01) / period))
  taken = math.max(taken, cost)
  spent[i] = debt + period * taken
  reply[i * 2 + 1], reply[i * 2 + 2] = math.ceil(spent[i]), taken
end
for i = 1, #KEYS do
  local kept = string.format('%.3f %.3f', now + spent[i], tonumber(ARGV[i * 4 - 3]))
  redis.call('SET', KEYS[i], kept, 'PX', math.ceil(spent[i] / 1000) + 1000)
end
return reply
