-- Gives a claim back that is still ours.
-- KEYS[1]  claim: the holder's token; expires with the lease
-- ARGV[1]  our token
-- Answers 1, or 0 when it was not ours any more.

if redis.call('GET', KEYS[1]) == ARGV[1] then
  return redis.call('DEL', KEYS[1])
end
return 0
