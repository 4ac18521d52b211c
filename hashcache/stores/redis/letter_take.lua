-- Takes letters that are due into somebody's hands.
-- KEYS[1]  outbox     KEYS[2]  due (letter_put.lua tells what they hold)
-- ARGV[1]  now, in milliseconds since 1970     ARGV[2]  the holder     ARGV[3]  until when they are held
-- ARGV[4]  how many at most
-- Answers {when the next of all is due, '' when there is none; id, '<tenant> <expires>', sealed bytes; id, ...}.

local most = tonumber(ARGV[4])
local waiting = redis.call('ZRANGE', KEYS[2], 0, most, 'WITHSCORES')
local ids, next = {}, ''
for i = 1, #waiting, 2 do
  if #ids < most and tonumber(waiting[i + 1]) <= tonumber(ARGV[1]) then
    ids[#ids + 1] = waiting[i]
  else
    next = waiting[i + 1]
    break
  end
end
if #ids == 0 then
  return {next}
end

local fields = {}
for i, id in ipairs(ids) do
  fields[2 * i - 1], fields[2 * i] = id, '=' .. id
end
local found = redis.call('HMGET', KEYS[1], unpack(fields))
local answer, held, dues, lost = {next}, {}, {}, {}
for i, id in ipairs(ids) do
  local sealed, rest = found[2 * i - 1], string.match(found[2 * i] or '', '^%S* (.*)$')
  if sealed and rest then
    for _, word in ipairs({id, rest, sealed}) do
      answer[#answer + 1] = word
    end
    held[#held + 1], held[#held + 2] = '=' .. id, ARGV[2] .. ' ' .. rest
    dues[#dues + 1], dues[#dues + 2] = ARGV[3], id
  else
    lost[#lost + 1] = id -- no letter of ours
  end
end
if #lost > 0 then
  redis.call('ZREM', KEYS[2], unpack(lost))
end
if #held > 0 then
  redis.call('HSET', KEYS[1], unpack(held))
  redis.call('ZADD', KEYS[2], unpack(dues))
  if next == '' or tonumber(ARGV[3]) < tonumber(next) then
    answer[1] = ARGV[3]
  end
end
return answer
