-- Each window: what was spent, and what of it would have been refused.
WITH spent AS (
    SELECT period, sum(calls) AS calls, sum(amount) AS amount, sum(cost) AS cost FROM totals GROUP BY period
),
gone AS (
    SELECT
        period,
        sum(calls) AS calls, sum(amount) AS amount, sum(cost) AS cost, min(first_us) AS first_us,
        count(DISTINCT nullif(user_id, '')) AS users, count(DISTINCT nullif(key_id, '')) AS keys
    FROM lost GROUP BY period
)
SELECT
    spent.period,
    CAST(spent.calls AS BIGINT), CAST(spent.amount AS BIGINT), CAST(spent.cost AS BIGINT),
    CAST(coalesce(gone.calls, 0) AS BIGINT), CAST(coalesce(gone.amount, 0) AS BIGINT),
    CAST(coalesce(gone.cost, 0) AS BIGINT), gone.first_us, coalesce(gone.users, 0), coalesce(gone.keys, 0)
FROM spent LEFT JOIN gone USING (period)
ORDER BY spent.period
