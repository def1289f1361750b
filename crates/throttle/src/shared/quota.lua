    -- ARGV: the limit, start and end of the period, what is known to be used, what was granted beyond, what was counted elsewhere and is to be added, and how many requests to count if
    -- there are so many. Told is what was used, what was granted beyond, start, end, and what was counted.
    local limit, pending, want = tonumber(ARGV[at]), tonumber(ARGV[at + 5]), tonumber(ARGV[at + 6])
    start, finish, used, extra = account(KEYS[i], tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4]))
    if pending > 0 then
      used = used + pending
      keep(KEYS[i], start, finish, used, extra)
    end
    local left = limit + extra - used
    local counted = 0
    if left >= 1 then
      -- Of what is left one machine takes a hundredth ahead, at most.
      counted = math.max(1, math.min(want, math.floor(left / 100)))
    end
    used = used + counted
    reply[out], reply[out + 1], reply[out + 2], reply[out + 3], reply[out + 4] = used, extra, start, finish, counted
    if counted == 0 then
      reply[1] = i
      return reply
    end
    at, out = at + 7, out + 5
