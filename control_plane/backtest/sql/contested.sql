-- What may still fit: smaller than what was left when the limit was hit. All others are refused, for it only shrinks.
SELECT number, period, counter, still, amount FROM tail WHERE amount <= still
ORDER BY period, counter, at_us, request_id
