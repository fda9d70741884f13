-- control_plane/analytics/sql/latency.sql in ClickHouse's words.
WITH buckets AS (
    SELECT
        coalesce(CASE {by:Nullable(String)}
            WHEN 'model' THEN toString(model)
            WHEN 'provider' THEN toString(provider)
            WHEN 'route' THEN toString(route)
            WHEN 'project' THEN project_id
        END, '') AS value,
        h.bucket AS bucket,
        sum(h.calls) AS counted
    FROM hourly_latency AS h
    WHERE h.measure = {measure:String}
    GROUP BY value, bucket
),
grouped AS (
    SELECT false AS is_total, value, bucket, counted FROM buckets WHERE {by:Nullable(String)} IS NOT NULL
    UNION ALL
    SELECT true AS is_total, '' AS value, bucket, sum(counted) AS counted FROM buckets GROUP BY bucket
),
summed AS (
    SELECT
        is_total, value, bucket,
        sum(counted) OVER (PARTITION BY is_total, value ORDER BY bucket) AS below,
        sum(counted) OVER (PARTITION BY is_total, value) AS everything
    FROM grouped
),
asked AS (SELECT *, arrayJoin({percents:Array(Float64)}) AS p FROM summed)
SELECT
    is_total,
    value,
    any(everything) AS calls,
    p,
    -- The middle of the bucket, relatively: gamma is 1.01 / 0.99.
    2 * pow(1.01 / 0.99, min(bucket)) / (1.01 / 0.99 + 1) AS at_most
FROM asked
WHERE below >= ceil(p / 100 * everything)
GROUP BY is_total, value, p
ORDER BY is_total DESC, calls DESC, value, p
LIMIT ({limit:UInt32} + 1) * length({percents:Array(Float64)})
