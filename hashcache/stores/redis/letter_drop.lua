-- Forgets a letter.
-- KEYS[1]  outbox     KEYS[2]  due (letter_put.lua tells what they hold)
-- ARGV[1]  id
-- Answers 1, or 0 when it was not there.

local tenant = string.match(redis.call('HGET', KEYS[1], '=' .. ARGV[1]) or '', '^%S* (%S*) ')
redis.call('ZREM', KEYS[2], ARGV[1])
if not tenant then
  return 0
end
redis.call('HDEL', KEYS[1], ARGV[1], '=' .. ARGV[1])
if redis.call('HINCRBY', KEYS[1], '#' .. tenant, -1) <= 0 then
  redis.call('HDEL', KEYS[1], '#' .. tenant)
end
return 1
