-- Removes an entry and sees to it that a purchase under way does not come back.
-- KEYS[1]  entry: sealed bytes (core/envelope.py); expires with the entry
-- KEYS[2]  claim: the holder's token; expires with the lease
-- KEYS[3]  tombstone: a random word; expires after 70 minutes
-- ARGV[1]  the new tombstone        ARGV[2]  its life in milliseconds
-- Answers how many entries there were, 0 or 1.
-- Removing comes first: a script that has begun to write may go on when memory is full, so SET then works as well.

local removed = redis.call('UNLINK', KEYS[1])
redis.call('DEL', KEYS[2])
redis.call('SET', KEYS[3], ARGV[1], 'PX', ARGV[2])
return removed
