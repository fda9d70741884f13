-- `hourly_latency` by day (UTC): of the day's rows of it, which stand in the relation `hours`. `hour` is the day's first.
SELECT
    time_bucket(INTERVAL 1 DAY, hour) AS hour,
    org_id, project_id, route, provider, model, measure, bucket,
    CAST(sum(calls) AS BIGINT) AS calls
FROM hours
GROUP BY ALL
ORDER BY org_id, measure, project_id, hour
