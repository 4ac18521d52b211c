-- Removes those fields of the accounts that still hold what was seen.
-- KEYS[1]  accounts: a hash (stores/redis/accounts.py tells its fields); expires when nothing was paid for 40 days
-- ARGV     field, what was seen there, field, ...
-- Answers how many were removed.

local names, gone = {}, {}
for i = 1, #ARGV, 2 do
  names[#names + 1] = ARGV[i]
end
for i, value in ipairs(redis.call('HMGET', KEYS[1], unpack(names))) do
  if value == ARGV[2 * i] then
    gone[#gone + 1] = names[i]
  end
end
return #gone > 0 and redis.call('HDEL', KEYS[1], unpack(gone)) or 0
