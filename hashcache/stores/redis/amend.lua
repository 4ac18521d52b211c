-- Changes what the accounts know of a key, if that still is what was seen, and unless breaker or budgets forbid it.
-- KEYS[1]  accounts: a hash (stores/redis/accounts.py tells its fields); expires when nothing was paid for 40 days
-- KEYS[2]  days: a hash of '<day>.<line>' -> sum; expires 401 days after the month
-- KEYS[3]  money: a hash of line -> sum of all days; never expires
-- ARGV[1]  now, in milliseconds since 1970       ARGV[2], ARGV[3]  life of accounts and days, in milliseconds
-- ARGV[4]  field of the key      ARGV[5]  what was seen there, '' for nothing
-- ARGV[6]  field of the token among what has lapsed      ARGV[7]  what was seen there, '' for nothing
-- ARGV[8]  what the key is to have, '' for no change      ARGV[9]  the same for the case that it is forbidden
-- ARGV[10] field of the breaker that is asked, '' for none
-- ARGV[11], ARGV[12]  if it lets one through as its probe: the token, and when it is given up
-- ARGV[13] what is drawn on each window
-- ARGV[14] '<day>.'
-- ARGV[15], ARGV[16], ARGV[17]  how many windows, records and lines follow, each one in this order:
--          window: field, the most that it holds ('' for no bound), when it ends
--          record: field, value; written in any case
--          line: name, amount; added to the day and to the money in any case
-- Answers {'done', what was drawn on each window before ...}, {'spent', number of the first window that holds no more},
-- {'open', reason, until}, or, having done nothing, {'found', what the key has, what has lapsed, drawn ...}.

local now, amount = tonumber(ARGV[1]), tonumber(ARGV[13])
local windows, records, lines = tonumber(ARGV[15]), tonumber(ARGV[16]), tonumber(ARGV[17])
local first_record = 18 + 3 * windows
local first_line = first_record + 2 * records

local names = {ARGV[4], ARGV[6], ARGV[10], 'renewed'}
for i = 1, windows do
  names[4 + i] = ARGV[15 + 3 * i]
end
local found = redis.call('HMGET', KEYS[1], unpack(names))
local drawn = {}
for i = 1, windows do
  drawn[i] = string.match(found[4 + i] or '', '^(%d+) ') or '0'
end
if (found[1] or '') ~= ARGV[5] or (found[2] or '') ~= ARGV[7] then
  return {'found', found[1] or '', found[2] or '', unpack(drawn)}
end

local forbidden, probe
local failures, till, given_up, reason, token = string.match(found[3] or '', '^(%d+) (%d+) (%d+) (%S+) (%S+)$')
if ARGV[10] ~= '' and failures and till ~= '0' then
  if now < tonumber(till) then
    forbidden = {'open', reason, till}
  elseif token ~= '-' and now < tonumber(given_up) then
    forbidden = {'open', reason, given_up}
  else
    probe = table.concat({failures, till, ARGV[12], reason, ARGV[11]}, ' ')
  end
end
for i = 1, windows do
  local most = tonumber(ARGV[16 + 3 * i])
  if not forbidden and most and amount > 0 and tonumber(drawn[i]) + amount > most then
    forbidden = {'spent', i}
  end
end

local day, money = read(KEYS[2], first_line, lines, ARGV[14]), read(KEYS[3], first_line, lines)
local words = {unpack(ARGV, first_record, first_line - 1)}
local put = forbidden and ARGV[9] or ARGV[8]
if put ~= '' then
  words[#words + 1], words[#words + 2] = ARGV[4], put
end
if not forbidden then
  for i = 1, windows do
    local sum = string.format('%.0f %s', tonumber(drawn[i]) + amount, ARGV[17 + 3 * i])
    words[#words + 1], words[#words + 2] = ARGV[15 + 3 * i], sum
  end
  if probe then
    words[#words + 1], words[#words + 2] = ARGV[10], probe
  end
end
if #words > 0 then
  local renew = now - (tonumber(found[4]) or 0) >= 86400000 -- once a day: hosts bill that one as well
  if renew then
    words[#words + 1], words[#words + 2] = 'renewed', ARGV[1]
  end
  redis.call('HSET', KEYS[1], unpack(words))
  if renew then
    redis.call('PEXPIRE', KEYS[1], ARGV[2])
  end
end
write(KEYS[2], sums(day, first_line, ARGV[14]), ARGV[3])
if lines > 0 then
  redis.call('HSET', KEYS[3], unpack(sums(money, first_line)))
end
return forbidden or {'done', unpack(drawn)}
