-- Keeps an entry and gives the claim back. A lost claim does not matter: the money is spent. A key that was
-- forgotten since the claim was granted does; whether a clear forbids the entry is judged by who calls.
-- KEYS[1]  entry: sealed bytes (core/envelope.py); expires with the entry
-- KEYS[2]  claim: the holder's token; expires with the lease
-- KEYS[3]  tombstone: a random word that `forget` left; expires after ten minutes
-- KEYS[4]  barrier: JSON (core/barrier.py), which begins with its sequence
-- ARGV[1]  our token        ARGV[2]  the tombstone when the claim was granted, '' for none
-- ARGV[3]  sealed entry     ARGV[4]  its time to live in milliseconds
-- ARGV[5]  the sequence of the barrier by which the caller judged that it may be kept
-- Answers 1; 0 when the key was forgotten meanwhile; or, having done nothing, the barrier when it is another one.

local barrier = redis.call('GET', KEYS[4])
local sequence = barrier and string.match(barrier, '^{"sequence":(%d+)') or '0'
if sequence ~= ARGV[5] then
  return barrier or ''
end
local tombstone = redis.call('GET', KEYS[3])
local kept = 0
if not tombstone or tombstone == ARGV[2] then
  redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4])
  kept = 1
end
if redis.call('GET', KEYS[2]) == ARGV[1] then
  redis.call('DEL', KEYS[2])
end
return kept
