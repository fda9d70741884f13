-- What each user's calls cost and used, by hour (UTC).
SELECT
    time_bucket(INTERVAL 1 HOUR, ts) AS hour,
    org_id, project_id, user_id, provider, model, outcome,
    count(*) AS calls,
    count(cost_usd) AS priced_calls,
    CAST(sum(cost_usd) AS DECIMAL(38, 9)) AS cost_usd,
    TRY_CAST(sum(tokens_in) AS BIGINT) AS tokens_in,
    TRY_CAST(sum(tokens_out) AS BIGINT) AS tokens_out
FROM events
GROUP BY ALL
