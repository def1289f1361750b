-- Takes from one bucket, as is done with each of several, for the requests that have but one. KEYS: the bucket. ARGV: the microseconds that a token counts for, the burst, the cost.
-- Returns 0, or for how many microseconds it refuses; then what the bucket has spent, in microseconds.
local time = redis.call('TIME')
local now = (time[1] - 1700000000) * 1000000 + time[2]
local text = ARGV[1]
local most = text * ARGV[2]
local debt = 0
local kept = redis.call('GET', KEYS[1])
if kept then
  debt = string.sub(kept, 1, 20) - now
  if debt < 0 then
    debt = 0
  end
  local before = string.sub(kept, 21)
  if before ~= text then
    debt = debt / before * text
  end
  if debt > most then
    debt = most
  end
end
local spent = debt + text * ARGV[3]
local over = spent - most
if over > 0.01 then
  return {math.ceil(over), math.ceil(debt)}
end
redis.call('SET', KEYS[1], string.format('%020.3f%s', now + spent, text), 'PX', math.ceil(spent / 1000) + 1000)
return {0, math.ceil(spent)}
