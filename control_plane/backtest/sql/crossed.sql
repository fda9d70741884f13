-- The call that first does not fit, of each counter whose window exceeds the limit, and what was left when it came:
-- until then every call is let through, so that is the limit less their sum. Sums of slots say in which slot it is, so
-- that only the calls of one slot are put in order.
CREATE TEMP TABLE crossed AS
WITH hit AS (SELECT period, counter FROM totals WHERE amount > getvariable('limit_amount')),
sums AS (
    SELECT period, counter, slot, sum(amount) AS amount
    FROM placed SEMI JOIN hit USING (period, counter)
    GROUP BY period, counter, slot
),
running AS (
    SELECT
        period, counter, slot, amount,
        sum(amount) OVER (PARTITION BY period, counter ORDER BY slot ROWS UNBOUNDED PRECEDING) AS upto
    FROM sums
),
within AS (
    SELECT period, counter, slot, upto - amount AS before FROM running
    WHERE upto > getvariable('limit_amount') AND upto - amount <= getvariable('limit_amount')
),
ordered AS (
    SELECT
        period, counter, at_us, request_id, amount,
        before + sum(amount) OVER (
            PARTITION BY period, counter ORDER BY at_us, request_id ROWS UNBOUNDED PRECEDING
        ) AS upto
    FROM placed JOIN within USING (period, counter, slot)
)
SELECT
    period, counter, at_us AS since_us, request_id AS since_id,
    CAST(getvariable('limit_amount') - (upto - amount) AS BIGINT) AS still
FROM ordered
WHERE upto > getvariable('limit_amount') AND upto - amount <= getvariable('limit_amount')
