    -- A bucket is kept as the time at which it is full again, in 20 characters, and the microseconds that a token counted for then.
    local text = ARGV[at]
    local period, cost, want = tonumber(text), tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
    local most = period * ARGV[at + 1]
    local debt = 0
    local kept = redis.call('GET', KEYS[i])
    if kept then
      debt = string.sub(kept, 1, 20) - now
      if debt < 0 then
        debt = 0
      end
      local before = string.sub(kept, 21)
      if before ~= text then
        debt = debt / before * period
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
    -- Two whole numbers are written faster than one with a fraction.
    local full = now + spent + 0.0005
    local rest = full % 1
    values[i], lives[i] = string.format('%016d.%03d%s', full - rest, rest * 1000, text), string.format('%d', spent / 1000 + 1001)
    reply[out], reply[out + 1] = math.ceil(spent), taken
    at, out = at + 4, out + 2
