-- The calls that are refused: those too large at once, and those that had nothing left for them when they came.
CREATE TEMP VIEW refused AS
SELECT period, counter, at_us, amount, cost, user_id, key_id FROM tail WHERE amount > still
UNION ALL
SELECT period, counter, at_us, amount, cost, user_id, key_id FROM contested ANTI JOIN let_through USING (number)
