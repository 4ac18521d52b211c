-- Keeps an entry, gives the claim back, and tells whoever waits for it. A lost claim does not matter: the money is
-- spent. A key that was forgotten since the claim was granted does, and a claim that was lost and is so old that nobody
-- could tell any more: one that is held was not forgotten, since `forget` takes claims away. Whether a clear forbids
-- the entry is judged by who calls, and so is whether a positive entry, which a negative one must not replace, still
-- may be served.
-- KEYS[1]  entry: sealed bytes (core/envelope.py); expires when it is not to be kept any longer
-- KEYS[2]  claim: the holder's token; expires with the lease
-- KEYS[3]  tombstone: a random word that `forget` left; expires after 70 minutes
-- KEYS[4]  barrier: JSON (core/barrier.py), which begins with its sequence; absent where it lies in another slot
-- ARGV[1]  our token        ARGV[2]  the tombstone when the claim was granted, '' for none
-- ARGV[3]  sealed entry     ARGV[4]  for how many milliseconds it is kept
-- ARGV[5]  the sequence of the barrier by which the caller judged that it may be kept
-- ARGV[6]  the mark of a positive entry that was judged to be dead, '' for none
-- ARGV[7]  channel          ARGV[8]  the notice that the purchase has ended
-- ARGV[9]  when the claim was granted, in milliseconds since 1970        ARGV[10]  how old a lost claim may be
-- Answers 1; 0 when the key was forgotten meanwhile, or may have been; or, having done nothing, the barrier when it is
-- another one, or {entry, barrier} when a positive entry lies there that was not judged.

-- Bit 4 of the flags, byte 3 counted from 0 (core/envelope.py: NEGATIVE, FLAGS_AT).
local function negative(sealed)
  return math.floor(string.byte(sealed, 4) / 16) % 2 == 1
end

local barrier = KEYS[4] and redis.call('GET', KEYS[4])
local sequence = barrier and string.match(barrier, '^{"sequence":(%d+)') or '0'
if KEYS[4] and sequence ~= ARGV[5] then
  return barrier or ''
end
if negative(ARGV[3]) then
  local there = redis.pcall('GETRANGE', KEYS[1], 0, 19)
  if type(there) == 'string' and #there == 20 and string.lower(string.sub(there, 1, 2)) == 'hc' and not negative(there)
      and string.sub(there, 5) ~= ARGV[6] then
    return {redis.call('GET', KEYS[1]), barrier or ''}
  end
end
local held = redis.call('GET', KEYS[2]) == ARGV[1]
local tombstone = redis.call('GET', KEYS[3])
local forgotten = tombstone and tombstone ~= ARGV[2]
if not held and not forgotten then
  local time = redis.call('TIME')
  forgotten = time[1] * 1000 + time[2] / 1000 - ARGV[9] >= tonumber(ARGV[10])
end
if not forgotten then
  redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4])
end
if held then
  redis.call('DEL', KEYS[2])
end
redis.pcall('PUBLISH', ARGV[7], ARGV[8]) -- without the right to publish whoever waits looks again later
return forgotten and 0 or 1
