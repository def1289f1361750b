-- Gives back what was taken of buckets, because another slot refused. KEYS: the buckets. ARGV: for each the microseconds that were spent.
for i = 1, #KEYS do
  local kept = redis.call('GET', KEYS[i])
  if kept then
    redis.call('SET', KEYS[i], string.format('%020.3f%s', string.sub(kept, 1, 20) - ARGV[i], string.sub(kept, 21)), 'KEEPTTL')
  end
end
return {}
