-- Adds a batch to the books, once.
-- KEYS[1]  counters: a hash of counter -> total; never expires
-- KEYS[2]  hour: a hash of '<minute>.<counter>' -> sum, and of '~<sender>' -> number of its last batch; expires
-- KEYS[3]  hits: a hash of 16 bytes that stand for a key -> how often it was hit; expires when nothing is hit any more
-- KEYS[4]  days: a hash of '<day>.<line>' (core/spend.py) -> sum; expires 401 days after the month
-- KEYS[5]  money: a hash of line -> sum of all days; never expires
-- ARGV[1]  life of the hour in milliseconds   ARGV[2]  most hits to remember   ARGV[3]  their life in milliseconds
-- ARGV[4]  life of the days in milliseconds     ARGV[5]  '<day>.'
-- ARGV[6], ARGV[7], ARGV[8]  how many pairs there are for the hour, the counters and the hits; those for the day, and
--                            for the money, end the list
-- ARGV[9], ARGV[10]  the first pair for the hour: '~<sender>', number of this batch
-- ARGV[11]...        name, count, name, count, ...
-- Answers 1, or 0 when the batch had been added already.

local timed, counted, hit = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local counts = 9 + 2 * timed
local hits = counts + 2 * counted
local lines = hits + 2 * hit
local lined = (#ARGV + 1 - lines) / 2

local hour = read(KEYS[2], 9, timed)
local last = tonumber(hour[1])
if last and last >= tonumber(ARGV[10]) then
  return 0
end
local totals = read(KEYS[1], counts, counted)
local known = read(KEYS[3], hits, hit)
local day, money = read(KEYS[4], lines, lined, ARGV[5]), read(KEYS[5], lines, lined)

local words = sums(hour, 9)
words[2] = ARGV[10]
redis.call('HSET', KEYS[2], unpack(words))
if not last then
  redis.call('PEXPIRE', KEYS[2], ARGV[1])
end
if counted > 0 then
  redis.call('HSET', KEYS[1], unpack(sums(totals, counts)))
end
if lined > 0 then
  write(KEYS[4], sums(day, lines, ARGV[5]), ARGV[4])
  redis.call('HSET', KEYS[5], unpack(sums(money, lines)))
end
if hit > 0 then
  local new = redis.call('HSET', KEYS[3], unpack(sums(known, hits)))
  redis.call('PEXPIRE', KEYS[3], ARGV[3])
  local over = new > 0 and redis.call('HLEN', KEYS[3]) - ARGV[2] or 0
  if over > 0 then
    -- The least often hit of some drawn by lot: close enough, and the server need not sort them all.
    local drawn, least = redis.call('HRANDFIELD', KEYS[3], 4 * over + 16, 'WITHVALUES'), {}
    for i = 1, #drawn, 2 do
      least[#least + 1] = {drawn[i], tonumber(drawn[i + 1]) or 0}
    end
    table.sort(least, function(one, other) return one[2] < other[2] end)
    for i = 1, over do
      least[i] = least[i][1]
    end
    redis.call('HDEL', KEYS[3], unpack(least, 1, over))
  end
end
return 1
