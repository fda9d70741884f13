-- What may still fit: no larger than what was left when the limit was hit. All others are refused, for it only shrinks.
CREATE TEMP TABLE contested AS
SELECT row_number() OVER () AS number, * FROM tail WHERE amount <= still
