-- Percentiles by a dimension, and of all, from sketches. $measure: one of them; $by: one of those below, or null;
-- $percents: in (0, 100]; $limit: values with a row, the most called. -> is_total, value, calls, p, at_most (a row for
-- each of $percents); the total first
WITH buckets AS (
    SELECT
        coalesce(CASE $by
            WHEN 'model' THEN model
            WHEN 'provider' THEN provider
            WHEN 'route' THEN route
            WHEN 'project' THEN project_id
        END, '') AS value,
        bucket,
        sum(calls) AS counted
    FROM hourly_latency
    WHERE measure = $measure
    GROUP BY ALL
),
grouped AS (
    SELECT false AS is_total, value, bucket, counted FROM buckets WHERE $by IS NOT NULL
    UNION ALL
    SELECT true AS is_total, '' AS value, bucket, sum(counted) AS counted FROM buckets GROUP BY bucket
),
summed AS (
    SELECT
        is_total, value, bucket,
        sum(counted) OVER (PARTITION BY is_total, value ORDER BY bucket) AS counted_below,
        sum(counted) OVER (PARTITION BY is_total, value) AS counted_all
    FROM grouped
),
percents AS (SELECT unnest($percents) AS p)
SELECT
    is_total,
    value,
    CAST(any_value(counted_all) AS BIGINT) AS calls,
    p,
    -- The middle of the bucket, relatively: gamma is 1.01 / 0.99.
    2 * pow(1.01 / 0.99, min(bucket)) / (1.01 / 0.99 + 1) AS at_most
FROM summed CROSS JOIN percents
WHERE counted_below >= ceil(p / 100 * counted_all)
GROUP BY is_total, value, p
ORDER BY is_total DESC, calls DESC, value, p
LIMIT ($limit + 1) * len($percents)
