-- Puts a letter back until it is due again, unless somebody else has it.
-- KEYS[1]  outbox     KEYS[2]  due (letter_put.lua tells what they hold)
-- ARGV[1]  id     ARGV[2]  the holder     ARGV[3]  when it is due     ARGV[4]  sealed bytes
-- Answers 1, or 0 when it is gone or in other hands.

local holder = string.match(redis.call('HGET', KEYS[1], '=' .. ARGV[1]) or '', '^(%S*) ')
if holder ~= ARGV[2] then
  return 0
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[4])
redis.call('ZADD', KEYS[2], ARGV[3], ARGV[1])
return 1
