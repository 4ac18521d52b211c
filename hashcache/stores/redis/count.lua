-- Adds to counters, all at once.
-- KEYS[1]  counters: a hash of counter -> total; never expires
-- ARGV     counter, count, counter, count, ...

for i = 1, #ARGV, 2 do
  redis.call('HINCRBY', KEYS[1], ARGV[i], ARGV[i + 1])
end
return 1
