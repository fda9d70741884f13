-- The calls from that one on which take anything.
CREATE TEMP VIEW tail AS
SELECT placed.period, placed.counter, at_us, request_id, amount, cost, user_id, key_id, still
FROM placed JOIN crossed ON placed.period = crossed.period AND placed.counter = crossed.counter
WHERE amount > 0 AND (at_us > since_us OR (at_us = since_us AND request_id >= since_id))
