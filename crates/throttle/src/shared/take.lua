-- Takes from all buckets, and counts against the quota, or does none of it. KEYS: the buckets, and where ARGV[1] says (0: nowhere) the quota. ARGV from the second on, for
-- each bucket the microseconds that a token counts for, the burst, the cost, and how many tokens to take if there are so many; for the quota its limit, start, end, what
-- is known to be used, what was granted beyond, what was counted elsewhere and is to be added, and how many requests to count if there are so many.
-- A bucket is kept as the time at which it is full again, and the microseconds that a token counted for then.
-- Returns 0, or which one refuses and for how many microseconds; then for each that was looked at what the bucket has spent, in microseconds, and what was taken; for the quota
-- what was used, what was granted beyond, start, end, and what was taken.
local time = redis.call('TIME')
-- Times count from a day in 2023, so that a fraction of a microsecond is kept.
local now = (tonumber(time[1]) - 1700000000) * 1000000 + tonumber(time[2])
local quota = tonumber(ARGV[1])
local reply, values, lives = {0, 0}, {}, {}
local start, finish, used, extra, counted
local at, out = 2, 3
for i = 1, #KEYS do
  if i == quota then
    local limit, pending, want = tonumber(ARGV[at]), tonumber(ARGV[at + 5]), tonumber(ARGV[at + 6])
    start, finish, used, extra = account(KEYS[i], tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4]))
    if pending > 0 then
      used = used + pending
      keep(KEYS[i], start, finish, used, extra)
    end
    local left = limit + extra - used
    -- Of what is left one machine takes a hundredth ahead, at most.
    counted = left < 1 and 0 or math.max(1, math.min(want, math.floor(left / 100)))
    used = used + counted
    reply[out], reply[out + 1], reply[out + 2], reply[out + 3], reply[out + 4] = used, extra, start, finish, counted
    if counted == 0 then
      reply[1] = i
      return reply
    end
    at, out = at + 7, out + 5
  else
    local period, burst, cost, want = tonumber(ARGV[at]), tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
    local most = period * burst
    local debt = 0
    local kept = redis.call('GET', KEYS[i])
    if kept then
      local gap = string.find(kept, ' ', 1, true)
      debt = tonumber(string.sub(kept, 1, gap)) - now
      if debt < 0 then
        debt = 0
      end
      local before = string.sub(kept, gap + 1)
      if before ~= ARGV[at] then
        debt = debt / tonumber(before) * period
      end
      -- More than a burst is never spent, unless the clock was set back or the limit was lowered.
      if debt > most then
        debt = most
      end
    end
    local over = debt + period * cost - most
    -- Less than that is what rounding makes of nothing.
    if over > 0.01 then
      reply[1], reply[2] = i, math.ceil(over)
      reply[out], reply[out + 1] = math.ceil(debt), 0
      return reply
    end
    local taken = cost
    if want > cost then
      taken = math.max(cost, math.min(want, math.floor((most - debt + 0.01) / period)))
    end
    local spent = debt + period * taken
    values[i] = string.format('%.3f ', now + spent) .. ARGV[at]
    lives[i] = math.ceil(spent / 1000) + 1000
    reply[out], reply[out + 1] = math.ceil(spent), taken
    at, out = at + 4, out + 2
  end
end
for i = 1, #KEYS do
  if i == quota then
    keep(KEYS[i], start, finish, used, extra)
  else
    redis.call('SET', KEYS[i], values[i], 'PX', lives[i])
  end
end
return reply
