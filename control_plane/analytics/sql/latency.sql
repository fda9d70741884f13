-- Percentiles by a dimension, and of all, from sketches. $measure: one of them; $by: one of those below, or null;
-- $percents: in (0, 100]; $limit: values with a row, the most called. -> is_total, value, calls, points (a value for
-- each of $percents); the total first
WITH buckets AS (
    SELECT
        coalesce(CASE $by WHEN 'model' THEN model WHEN 'provider' THEN provider WHEN 'route' THEN route WHEN 'project' THEN project_id END, '') AS value,
        bucket,
        sum(calls) AS calls
    FROM hourly_latency
    WHERE measure = $measure
    GROUP BY ALL
),
grouped AS (
    SELECT false AS is_total, value, bucket, calls FROM buckets WHERE $by IS NOT NULL
    UNION ALL
    SELECT true, '', bucket, sum(calls) FROM buckets GROUP BY bucket
),
counted AS (
    SELECT
        *,
        sum(calls) OVER (PARTITION BY is_total, value ORDER BY bucket) AS calls_below,
        sum(calls) OVER (PARTITION BY is_total, value) AS calls_all
    FROM grouped
),
percents AS (SELECT unnest($percents) AS p)
SELECT
    is_total,
    value,
    CAST(any_value(calls_all) AS BIGINT) AS calls,
    p,
    -- The middle of the bucket, relatively: gamma is 1.01 / 0.99.
    2 * pow(1.01 / 0.99, min(bucket)) / (1.01 / 0.99 + 1) AS at_most
FROM counted, percents
WHERE calls_below >= ceil(p / 100 * calls_all)
GROUP BY is_total, value, p
ORDER BY is_total DESC, calls DESC, value, p
LIMIT ($limit + 1) * len($percents)
