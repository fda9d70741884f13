-- What each hour cost. -> hour_s, cost_usd, unpriced_calls; hours without calls have no row
SELECT
    CAST(epoch(hour) AS BIGINT) AS hour_s,
    sum(cost_usd) AS cost_usd,
    CAST(coalesce(sum(calls - priced_calls) FILTER (WHERE outcome <> 'refused'), 0) AS BIGINT) AS unpriced_calls
FROM hourly
GROUP BY hour_s
ORDER BY hour_s
