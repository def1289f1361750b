-- Takes from all buckets or from none. KEYS: the buckets. ARGV: for each the microseconds that a token counts for, the burst, the cost.
-- A bucket is kept as the time at which it is full again, and the microseconds that a token counted for then.
-- Returns 0, or which bucket refuses and for how many microseconds; then what each that was looked at has spent, in microseconds.
local time = redis.call('TIME')
-- Times count from a day in 2023, so that a fraction of a microsecond is kept.
local now = (tonumber(time[1]) - 1700000000) * 1000000 + tonumber(time[2])
local reply = {0, 0}
local spent = {}
for i = 1, #KEYS do
  local period, burst, cost = tonumber(ARGV[i * 3 - 2]), tonumber(ARGV[i * 3 - 1]), tonumber(ARGV[i * 3])
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
    reply[i + 2] = math.ceil(debt)
    return reply
  end
  spent[i] = debt + period * cost
  reply[i + 2] = math.ceil(spent[i])
end
for i = 1, #KEYS do
  if tonumber(ARGV[i * 3]) > 0 then
    local kept = string.format('%.3f %.3f', now + spent[i], tonumber(ARGV[i * 3 - 2]))
    redis.call('SET', KEYS[i], kept, 'PX', math.ceil(spent[i] / 1000) + 1000)
  end
end
return reply
