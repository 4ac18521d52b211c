-- Replaces the barrier if it still is what we read (compare and set).
-- KEYS[1]  barrier: JSON (core/barrier.py); never expires
-- ARGV[1]  the record that we read, '' for none        ARGV[2]  the new one
-- Answers nil when replaced, else the record that is there, '' for none.
-- PERSIST changes nothing, but begins to write: then SET works when memory is full, and a clear does too.

redis.call('PERSIST', KEYS[1])
local there = redis.call('GET', KEYS[1]) or ''
if there ~= ARGV[1] then
  return there
end
redis.call('SET', KEYS[1], ARGV[2])
return false
