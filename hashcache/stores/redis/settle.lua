-- Ends an attempt that is on record, or that was booked as unknown.
-- KEYS[1]  accounts: a hash (stores/redis/accounts.py tells its fields); expires when nothing was paid for 40 days
-- KEYS[2]  days: a hash of '<day>.<line>' -> sum, where today lies; expires 401 days after the month
-- KEYS[3]  money: a hash of line -> sum of all days; never expires
-- KEYS[4]  days: where the day lies on which it was booked as unknown
-- ARGV[1]  now, in milliseconds since 1970       ARGV[2]  life of days, in milliseconds
-- ARGV[3]  field of the key      ARGV[4]  its token      ARGV[5]  the third line of its record
-- ARGV[6]  field of its token among what has lapsed      ARGV[7]  what was seen there, '' for nothing
-- ARGV[8]  field of the provider's breaker      ARGV[9]  what is heard of the provider: well, failed, denied, silent,
--          or 'throttled <for how long, in milliseconds>'
-- ARGV[10] what is added to each window
-- ARGV[11], ARGV[12], ARGV[13]  how many windows, lines of today and older lines follow; lines of the money end the list
-- ARGV[14], ARGV[15]  '<day>.' of today, and of the older lines
--          window: field
--          line: name, amount; added to today, to the day on which it was booked as unknown, and to the money
-- Answers 1; 0 when there is no such attempt; or, having done nothing, {what the key has, what has lapsed} when the
-- attempt is there, but is not what was seen.

local now, amount = tonumber(ARGV[1]), tonumber(ARGV[10])
local windows, lines, older = tonumber(ARGV[11]), tonumber(ARGV[12]), tonumber(ARGV[13])
local first_line = 16 + windows
local first_older = first_line + 2 * lines
local first_money = first_older + 2 * older
local lines_money = (#ARGV + 1 - first_money) / 2

local found = redis.call('HMGET', KEYS[1], ARGV[3], ARGV[6], ARGV[8], unpack(ARGV, 16, first_line - 1))
local there, lapsed = found[1] or '', found[2] or ''
local gone = {}
local token, body = string.match(there, '^([^\n]*)\n[^\n]*\n([^\n]*)\n')
local record = there
if token == ARGV[4] then
  if body ~= ARGV[5] or ARGV[7] ~= '' then
    return {there, ''}
  end
  gone[1] = ARGV[3]
elseif lapsed ~= '' then
  if lapsed ~= ARGV[7] then
    return {there, lapsed}
  end
  record = lapsed
  gone[1] = ARGV[6]
  if string.match(there, '^tries ') then
    gone[2] = ARGV[3]
  end
else
  return 0
end

-- The breaker, as in stores/circuit.py.
local words = {}
local failures, till, given_up, reason, probe = string.match(found[3] or '', '^(%d+) (%d+) (%d+) (%S+) (%S+)$')
failures, till = tonumber(failures or 0), tonumber(till or 0)
if ARGV[9] == 'well' and not (reason == 'throttled' and now < till) then
  if found[3] then
    gone[#gone + 1] = ARGV[8]
  end
else
  local threshold, pause, denied = string.match(record, '\nrules (%d+) (%d+) (%d+) ')
  if probe == nil or probe == ARGV[4] then
    probe, given_up = '-', '0'
  end
  reason = reason or '-'
  local opened = 0
  local health, wait = string.match(ARGV[9], '^(%l+) ?(%d*)$')
  if health == 'failed' or health == 'denied' then
    failures = failures + 1
  elseif health == 'well' then
    failures = 0
  end
  if health == 'denied' then
    opened = now + tonumber(denied)
  elseif health == 'throttled' then
    opened = now + tonumber(wait)
  elseif health == 'failed' and (till > 0 or failures >= tonumber(threshold)) then
    opened = now + tonumber(pause)
  end
  if opened > till then
    till, reason = opened, health
  end
  if failures > 0 or till > 0 then
    words = {ARGV[8], string.format('%d %.0f %s %s %s', failures, till, given_up, reason, probe)}
  end
end

for i = 1, windows do
  local drawn, ends = string.match(found[3 + i] or '', '^(%d+) (%d+)$')
  if drawn then -- else the window is gone
    words[#words + 1] = ARGV[15 + i]
    words[#words + 1] = string.format('%.0f %s', math.max(0, tonumber(drawn) + amount), ends)
  end
end
local today, before = read(KEYS[2], first_line, lines, ARGV[14]), read(KEYS[4], first_older, older, ARGV[15])
local money = read(KEYS[3], first_money, lines_money)
redis.call('HDEL', KEYS[1], unpack(gone))
if #words > 0 then
  redis.call('HSET', KEYS[1], unpack(words))
end
write(KEYS[2], sums(today, first_line, ARGV[14]), ARGV[2])
write(KEYS[4], sums(before, first_older, ARGV[15]), ARGV[2])
if lines_money > 0 then
  redis.call('HSET', KEYS[3], unpack(sums(money, first_money)))
end
return 1
