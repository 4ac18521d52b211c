-- Puts a letter into the outbox, in the hands of whoever promised it, if there is room.
-- KEYS[1]  outbox: a hash of '<id>' -> sealed bytes (core/letter.py), '=<id>' -> '<holder> <tenant> <expires>', and
--          '#<tenant>' -> how many letters it has; expires when nothing was put for longer than a letter lives
-- KEYS[2]  due: a sorted set of ids by when they are due (milliseconds since 1970); expires with it
-- ARGV[1]  id      ARGV[2]  tenant      ARGV[3]  '<holder> <tenant> <expires>'      ARGV[4]  sealed bytes
-- ARGV[5]  when it is due     ARGV[6]  life of both keys in milliseconds
-- ARGV[7], ARGV[8]  how many letters may lie here: of this tenant, in all
-- Answers '' when it lies there now, or why there is no room: 'tenant', 'total'.

local found = redis.call('HMGET', KEYS[1], '=' .. ARGV[1], '#' .. ARGV[2])
if found[1] then
  return ''
end
local count = tonumber(found[2]) or 0
if count >= tonumber(ARGV[7]) then
  return 'tenant'
end
if redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[8]) then
  return 'total'
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[4], '=' .. ARGV[1], ARGV[3], '#' .. ARGV[2], count + 1)
redis.call('ZADD', KEYS[2], ARGV[5], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[6])
redis.call('PEXPIRE', KEYS[2], ARGV[6])
return ''
