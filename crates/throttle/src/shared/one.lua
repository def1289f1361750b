-- Takes from one bucket, as is done with each of several, for the requests that have but one. KEYS: the bucket. ARGV: the microseconds that a token counts for, that the burst does, and that
-- the request does.
-- Returns 0, or for how many microseconds it refuses; then what the bucket has spent, in microseconds. What is returned is cut off, so that 0.999 more rounds it up.
local time = redis.call('TIME')
local now = (time[1] - 1700000000) * 1000000 + time[2]
local text, most, spent = ARGV[1], ARGV[2] + 0, ARGV[3] + 0
local kept = redis.call('GET', KEYS[1])
if kept then
  local debt = string.sub(kept, 1, 20) - now
  if debt > 0 then
    local before = string.sub(kept, 21)
    if before ~= text then
      debt = debt / before * text
    end
    if debt > most then
      debt = most
    end
    spent = spent + debt
  end
end
local over = spent - most
if over > 0.01 then
  return {over + 0.999, spent - ARGV[3] + 0.999}
end
-- Two whole numbers are written faster than one with a fraction.
local full = now + spent + 0.0005
local rest = full % 1
redis.call('SET', KEYS[1], string.format('%016d.%03d%s', full - rest, rest * 1000, text), 'PX', string.format('%d', spent / 1000 + 1001))
return {0, spent + 0.999}
