-- Grants a claim unless somebody else holds one, and tells what lies under the key: the second look.
-- KEYS[1]  entry: sealed bytes (core/envelope.py); expires with the entry
-- KEYS[2]  claim: the holder's token; expires with the lease
-- KEYS[3]  tombstone: a random word that `forget` left; expires after 70 minutes
-- ARGV[1]  our token        ARGV[2]  lease in milliseconds
-- ARGV[3]  our clock in milliseconds since 1970, as we asked; 0 when we know nothing of it
-- Answers {when it was granted (milliseconds since 1970), 0 when it was not; for how many milliseconds somebody else
-- still holds it; tombstone; entry}.

local entry = redis.pcall('GET', KEYS[1])
if type(entry) == 'table' then
  entry = '' -- a value of another type: the reader refuses it as bytes that are no envelope
end
local holder = redis.call('GET', KEYS[2])
local tombstone = redis.call('GET', KEYS[3])

if holder and holder ~= ARGV[1] then
  local held = redis.call('PTTL', KEYS[2])
  if held < 0 then -- a claim that never ends was not left by us: make it end
    redis.call('PEXPIRE', KEYS[2], ARGV[2])
    held = tonumber(ARGV[2])
  end
  return {0, held, tombstone, entry}
end

-- Absent, or our own: then the reply that granted it was lost.
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
local now = tonumber(ARGV[3])
if now == 0 then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
return {now, 0, tombstone, entry}
