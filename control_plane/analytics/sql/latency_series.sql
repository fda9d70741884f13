-- Percentiles by bucket of time, from sketches. $edges: where buckets begin, seconds since the epoch, ascending.
-- $measure, $percents as in latency.sql. -> at_s, calls, p, at_most; buckets without calls have no row
WITH hours AS (
    SELECT CAST(epoch(hour) AS BIGINT) AS hour_s, bucket, sum(calls) AS counted, 1 AS one
    FROM hourly_latency
    WHERE measure = $measure
    GROUP BY ALL
),
edges AS (SELECT unnest($edges) AS at_s, 1 AS one),
grouped AS (
    SELECT at_s, bucket, sum(counted) AS counted
    FROM hours ASOF JOIN edges ON hours.one = edges.one AND hours.hour_s >= edges.at_s
    GROUP BY ALL
),
summed AS (
    SELECT
        at_s, bucket,
        sum(counted) OVER (PARTITION BY at_s ORDER BY bucket) AS counted_below,
        sum(counted) OVER (PARTITION BY at_s) AS counted_all
    FROM grouped
),
percents AS (SELECT unnest($percents) AS p)
SELECT
    at_s,
    CAST(any_value(counted_all) AS BIGINT) AS calls,
    p,
    2 * pow(1.01 / 0.99, min(bucket)) / (1.01 / 0.99 + 1) AS at_most
FROM summed CROSS JOIN percents
WHERE counted_below >= ceil(p / 100 * counted_all)
GROUP BY at_s, p
ORDER BY at_s, p
