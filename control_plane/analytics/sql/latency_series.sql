-- Percentiles by bucket of time, from sketches. $edges: where buckets begin, seconds since the epoch, ascending.
-- $measure, $percents as in latency.sql. -> at_s, calls, p, at_most; buckets without calls have no row
WITH hours AS (
    SELECT epoch_us(hour) // 1000000 AS hour_s, bucket, sum(calls) AS calls
    FROM hourly_latency
    WHERE measure = $measure
    GROUP BY ALL
),
edges AS (SELECT unnest($edges) AS at_s),
grouped AS (
    SELECT at_s, bucket, sum(calls) AS calls
    FROM hours ASOF JOIN edges ON hours.hour_s >= edges.at_s
    GROUP BY ALL
),
counted AS (
    SELECT
        *,
        sum(calls) OVER (PARTITION BY at_s ORDER BY bucket) AS calls_below,
        sum(calls) OVER (PARTITION BY at_s) AS calls_all
    FROM grouped
),
percents AS (SELECT unnest($percents) AS p)
SELECT
    at_s,
    CAST(any_value(calls_all) AS BIGINT) AS calls,
    p,
    2 * pow(1.01 / 0.99, min(bucket)) / (1.01 / 0.99 + 1) AS at_most
FROM counted, percents
WHERE calls_below >= ceil(p / 100 * calls_all)
GROUP BY at_s, p
ORDER BY at_s, p
