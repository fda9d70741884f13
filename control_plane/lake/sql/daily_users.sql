-- `hourly_users` by day (UTC): of the day's rows of it, which stand in the relation `hours`. `hour` is the day's first.
SELECT
    time_bucket(INTERVAL 1 DAY, hour) AS hour,
    org_id, project_id, user_id, provider, model, outcome,
    CAST(sum(calls) AS BIGINT) AS calls,
    CAST(sum(priced_calls) AS BIGINT) AS priced_calls,
    CAST(sum(cost_usd) AS DECIMAL(38, 9)) AS cost_usd,
    TRY_CAST(sum(tokens_in) AS BIGINT) AS tokens_in,
    TRY_CAST(sum(tokens_out) AS BIGINT) AS tokens_out
FROM hours
GROUP BY ALL
ORDER BY org_id, project_id, hour
