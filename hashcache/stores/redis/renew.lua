-- Prolongs a claim that is still ours.
-- KEYS[1]  claim: the holder's token; expires with the lease
-- ARGV[1]  our token        ARGV[2]  lease in milliseconds
-- Answers 1, or 0 when it is not ours any more.

if redis.call('GET', KEYS[1]) == ARGV[1] then
  return redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return 0
