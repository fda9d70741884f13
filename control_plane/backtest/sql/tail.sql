-- The calls from the one on that first does not fit, of each counter whose window exceeds the limit. Up to it every call
-- is let through, so what is left then is the limit less their sum.
CREATE TEMP TABLE tail AS
WITH hit AS (SELECT period, counter FROM totals WHERE amount > getvariable('limit_amount')),
running AS (
    SELECT
        *,
        sum(amount) OVER (
            PARTITION BY period, counter ORDER BY at_us, request_id ROWS UNBOUNDED PRECEDING
        ) AS upto
    FROM placed SEMI JOIN hit USING (period, counter)
),
before AS (
    SELECT
        period, counter,
        getvariable('limit_amount') - coalesce(max(upto) FILTER (upto <= getvariable('limit_amount')), 0) AS still
    FROM running GROUP BY period, counter
)
SELECT
    row_number() OVER () AS number,
    period, counter, at_us, request_id, amount, cost, user_id, key_id,
    CAST(still AS BIGINT) AS still
FROM running JOIN before USING (period, counter)
WHERE upto > getvariable('limit_amount') AND amount > 0
