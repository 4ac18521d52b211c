-- What the scripts have in common that add to hashes of sums. Hashes are read and written as a whole, since hosts bill
-- the commands in here too; what is read, is read before anything is written, so that a record of a foreign type stops
-- a script before anything was added.

-- What lies under the names among *count* pairs of ARGV (name, amount, name, amount, ...), the first of them at *first*;
-- in the hash, *prefix* stands before each name.
local function read(key, first, count, prefix)
  local names = {}
  for i = 1, count do
    names[i] = (prefix or '') .. ARGV[first + 2 * i - 2]
  end
  return count > 0 and redis.call('HMGET', key, unpack(names)) or {}
end

-- Names and new sums, for HSET: what was *before*, and the amounts among the pairs of ARGV from *first* on.
local function sums(before, first, prefix)
  local words = {}
  for i = 1, #before do
    local sum = (tonumber(before[i]) or 0) + tonumber(ARGV[first + 2 * i - 1])
    words[2 * i - 1] = (prefix or '') .. ARGV[first + 2 * i - 2]
    words[2 * i] = string.format('%.0f', sum) -- tostring would lose what lies behind the 14th digit
  end
  return words
end

-- Writes *words* into the hash of the days of a month, whose *life* in milliseconds begins anew with each new line.
local function write(key, words, life)
  if #words > 0 and redis.call('HSET', key, unpack(words)) > 0 then
    redis.call('PEXPIRE', key, life)
  end
end

