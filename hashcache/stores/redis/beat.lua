-- Notes that a process lives, or that it ends.
-- KEYS[1]  processes: a hash of name -> '<until> <JSON of the process>'; expires when no process beats any more
-- ARGV[1]  its name   ARGV[2]  now, in milliseconds since 1970   ARGV[3]  how long it will live, 0: it ends
-- ARGV[4]  the JSON   ARGV[5]  1: look for dead ones and remove them
-- Answers how many dead ones were removed.

local removed = 0
if ARGV[5] == '1' then
  local found = redis.call('HGETALL', KEYS[1])
  for i = 1, #found, 2 do
    if (tonumber(string.match(found[i + 1], '^(%d+) ')) or 0) <= tonumber(ARGV[2]) then
      removed = removed + redis.call('HDEL', KEYS[1], found[i])
    end
  end
end
if ARGV[3] == '0' then
  redis.call('HDEL', KEYS[1], ARGV[1])
else
  redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f %s', ARGV[2] + ARGV[3], ARGV[4]))
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
end
return removed
