-- Publishes on the node that has the conversation, from which its events are published, too.
-- KEYS channel
-- ARGV message
-- gives how many clients of this node heard it
return redis.call('PUBLISH', KEYS[1], ARGV[1])
