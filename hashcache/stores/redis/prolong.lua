-- Replaces an entry by itself with a longer life, if it still is the one that was read.
-- KEYS[1]  entry: sealed bytes (core/envelope.py); expires when it is not to be kept any longer
-- ARGV[1], ARGV[2]  where the mark lies, first and last byte        ARGV[3]  the mark of the entry that was read
-- ARGV[4]  the entry, sealed anew        ARGV[5]  for how many milliseconds it is kept
-- Answers 1, or 0 when another one lies there, or none.

if redis.pcall('GETRANGE', KEYS[1], ARGV[1], ARGV[2]) ~= ARGV[3] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[4], 'PX', ARGV[5])
return 1
