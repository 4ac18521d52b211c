-- Puts a receipt on an attempt that is on record.
-- KEYS[1]  accounts: a hash (stores/redis/accounts.py tells its fields); expires when nothing was paid for 40 days
-- ARGV[1]  field of the key      ARGV[2]  the attempt's token      ARGV[3]  the receipt
-- Answers 1, or 0 when it is not on record.

local token, rest = string.match(redis.call('HGET', KEYS[1], ARGV[1]) or '', '^([^\n]*)(\n[^\n]*\n[^\n]*\n)')
if token ~= ARGV[2] then
  return 0
end
redis.call('HSET', KEYS[1], ARGV[1], token .. rest .. ARGV[3])
return 1
