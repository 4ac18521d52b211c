-- Removes those entries that are still the ones that were seen.
-- KEYS[i]  entry: sealed bytes (core/envelope.py); expires with the entry
-- ARGV[1], ARGV[2]  where the mark lies, first and last byte        ARGV[i + 2]  the mark that was seen under KEYS[i]
-- Answers how many were removed.

local removed = 0
for i, key in ipairs(KEYS) do
  if redis.pcall('GETRANGE', key, ARGV[1], ARGV[2]) == ARGV[i + 2] then
    removed = removed + redis.call('UNLINK', key)
  end
end
return removed
