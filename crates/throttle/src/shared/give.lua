-- Gives back what was taken of buckets, because another slot refused. KEYS: the buckets. ARGV: for each the microseconds that were spent.
for i = 1, #KEYS do
  local full, period = string.match(redis.call('GET', KEYS[i]) or '', '^(%S+) (%S+)$')
  if full then
    redis.call('SET', KEYS[i], string.format('%.3f ', tonumber(full) - tonumber(ARGV[i])) .. period, 'KEEPTTL')
  end
end
return {}
