-- Gives a claim back that is still ours, and tells whoever waits for it.
-- KEYS[1]  claim: the holder's token; expires with the lease
-- ARGV[1]  our token
-- ARGV[2]  channel          ARGV[3]  the notice that the purchase has ended
-- Answers 1, or 0 when it was not ours any more.

if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
redis.call('DEL', KEYS[1])
redis.pcall('PUBLISH', ARGV[2], ARGV[3]) -- without the right to publish whoever waits looks again later
return 1
