-- Adds a batch to the books, once. What it reads, it reads before it writes: a record of a foreign type stops it
-- before anything was added. A hash is read and written as a whole, since hosts bill the commands in here too.
-- KEYS[1]  counters: a hash of counter -> total; never expires
-- KEYS[2]  hour: a hash of '<minute>.<counter>' -> sum, and of '~<sender>' -> number of its last batch; expires
-- KEYS[3]  hits: a hash of 16 bytes that stand for a key -> how often it was hit; expires when nothing is hit any more
-- ARGV[1]  life of the hour in milliseconds   ARGV[2]  most hits to remember   ARGV[3]  their life in milliseconds
-- ARGV[4], ARGV[5]  how many pairs there are for the hour and for the counters; those for the hits end the list
-- ARGV[6], ARGV[7]  the first pair for the hour: '~<sender>', number of this batch
-- ARGV[8]...        name, count, name, count, ...
-- Answers 1, or 0 when the batch had been added already.

local function read(key, first, count)
  local names = {}
  for i = 1, count do
    names[i] = ARGV[first + 2 * i - 2]
  end
  return count > 0 and redis.call('HMGET', key, unpack(names)) or {}
end

local function sums(before, first)
  local words = {}
  for i = 1, #before do
    local sum = (tonumber(before[i]) or 0) + tonumber(ARGV[first + 2 * i - 1])
    words[2 * i - 1] = ARGV[first + 2 * i - 2]
    words[2 * i] = string.format('%.0f', sum) -- tostring would lose what lies behind the 14th digit
  end
  return words
end

local timed, counted = tonumber(ARGV[4]), tonumber(ARGV[5])
local counts = 6 + 2 * timed
local hits = counts + 2 * counted
local hit = (#ARGV + 1 - hits) / 2

local hour = read(KEYS[2], 6, timed)
local last = tonumber(hour[1])
if last and last >= tonumber(ARGV[7]) then
  return 0
end
local totals = read(KEYS[1], counts, counted)
local known = read(KEYS[3], hits, hit)

local words = sums(hour, 6)
words[2] = ARGV[7]
redis.call('HSET', KEYS[2], unpack(words))
if not last then
  redis.call('PEXPIRE', KEYS[2], ARGV[1])
end
if counted > 0 then
  redis.call('HSET', KEYS[1], unpack(sums(totals, counts)))
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
