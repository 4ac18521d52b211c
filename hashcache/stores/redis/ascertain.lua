-- Ends the doubt about an entry, if it still is the one that was committed.
-- KEYS[1]  entry: sealed bytes (core/envelope.py), the first of them changed while it is in doubt; keeps its expiry
-- ARGV[1], ARGV[2]  where the mark lies, first and last byte        ARGV[3]  the mark of the entry
-- ARGV[4]  the first bytes that it is to have
-- Answers 1, or 0 when another one lies there, or none.

if redis.pcall('GETRANGE', KEYS[1], ARGV[1], ARGV[2]) ~= ARGV[3] then
  return 0
end
redis.call('SETRANGE', KEYS[1], 0, ARGV[4])
return 1
