-- Each window: what was spent, and what of it would have been refused.
WITH spent AS (
    SELECT period, sum(calls) AS calls, sum(amount) AS amount, sum(cost) AS cost FROM totals GROUP BY period
),
lost AS (
    SELECT
        period,
        count(*) AS calls, sum(amount) AS amount, sum(cost) AS cost, min(at_us) AS first_us,
        count(DISTINCT nullif(user_id, '')) AS users, count(DISTINCT nullif(key_id, '')) AS keys
    FROM refused GROUP BY period
)
SELECT
    spent.period,
    CAST(spent.calls AS BIGINT), CAST(spent.amount AS BIGINT), CAST(spent.cost AS BIGINT),
    coalesce(lost.calls, 0), CAST(coalesce(lost.amount, 0) AS BIGINT), CAST(coalesce(lost.cost, 0) AS BIGINT),
    lost.first_us, coalesce(lost.users, 0), coalesce(lost.keys, 0)
FROM spent LEFT JOIN lost USING (period)
ORDER BY spent.period
