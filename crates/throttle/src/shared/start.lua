-- Takes from all buckets, and counts against the quota if there is one, or does neither. KEYS: the buckets, and where `quota` says the quota; 0 is nowhere. ARGV: for each bucket the
-- microseconds that a token counts for, the burst, the cost, and how many tokens to take if there are so many; for the quota see there.
-- Returns 0, or which one refuses and for how many microseconds; then for each that was looked at what the bucket has spent, in microseconds, and what was taken; for the quota see there.
local time = redis.call('TIME')
-- Times count from a day in 2023, so that a fraction of a microsecond is kept.
local now = (time[1] - 1700000000) * 1000000 + time[2]
local reply, values, lives = {0, 0}, {}, {}
local start, finish, used, extra
