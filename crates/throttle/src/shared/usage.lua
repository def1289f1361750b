-- What a key has used of its quota, after adding what was counted elsewhere. KEYS: the quota. ARGV: limit, start, end, what is known to be used, what was granted beyond, what
-- is to be added, and, if it shall be set, how much remains.
-- Returns what was used, what was granted beyond, start and end.
local start, finish, used, extra = account(KEYS[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]))
local pending = tonumber(ARGV[6])
used = used + pending
if ARGV[7] then
  extra = used + tonumber(ARGV[7]) - tonumber(ARGV[1])
end
if pending > 0 or ARGV[7] then
  keep(KEYS[1], start, finish, used, extra)
end
return {used, extra, start, finish}
