-- control_plane/analytics/sql/latency_series.sql in ClickHouse's words.
WITH grouped AS (
    SELECT
        toInt64(roundDown(toUnixTimestamp(h.hour), {edges:Array(Int64)})) AS at_s, h.bucket AS bucket, sum(h.calls) AS counted
    FROM hourly_latency AS h
    WHERE h.measure = {measure:String}
    GROUP BY at_s, bucket
),
summed AS (
    SELECT
        at_s, bucket,
        sum(counted) OVER (PARTITION BY at_s ORDER BY bucket) AS below,
        sum(counted) OVER (PARTITION BY at_s) AS everything
    FROM grouped
),
asked AS (SELECT *, arrayJoin({percents:Array(Float64)}) AS p FROM summed)
SELECT
    at_s,
    any(everything) AS calls,
    p,
    2 * pow(1.01 / 0.99, min(bucket)) / (1.01 / 0.99 + 1) AS at_most
FROM asked
WHERE below >= ceil(p / 100 * everything)
GROUP BY at_s, p
ORDER BY at_s, p
