-- Latency of calls in milliseconds, by day (UTC): of the day's rows of `hourly_latency`, which stand in the relation
-- `hours`. $dt is the day. A bucket stands for the value in the middle of its bounds: within 1 % of the exact one.
WITH buckets AS (
    SELECT org_id, project_id, route, bucket, sum(calls) AS calls FROM hours
    WHERE measure = 'latency_ms'
    GROUP BY ALL
), ranked AS (
    SELECT org_id, project_id, route,
        2 * pow(1.01 / 0.99, bucket) / (1 + 1.01 / 0.99) AS latency_ms,
        sum(calls) OVER (PARTITION BY org_id, project_id, route ORDER BY bucket) AS up_to,
        sum(calls) OVER (PARTITION BY org_id, project_id, route) AS all_calls
    FROM buckets
)
SELECT
    CAST($dt AS DATE) AS dt,
    project_id, route,
    min(latency_ms) FILTER (up_to >= 0.50 * all_calls) AS p50,
    min(latency_ms) FILTER (up_to >= 0.95 * all_calls) AS p95,
    min(latency_ms) FILTER (up_to >= 0.99 * all_calls) AS p99,
    org_id
FROM ranked
GROUP BY ALL
ORDER BY org_id, project_id, route
