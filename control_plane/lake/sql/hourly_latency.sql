-- DDSketch (Masson, Rim, Lee: VLDB 2019) as rows: calls by bucket, so merging sketches is a sum. A value v is in bucket
-- ceil(log(v) / log(gamma)), gamma = 1.01 / 0.99: a percentile read from it is within 1 % of the exact one.
-- Refused calls never reached a provider and are not in it. Milliseconds below 0.001, and rates, count as 0.001.
WITH measured AS (
    SELECT ts, org_id, project_id, route, provider, model, 'latency_ms' AS measure, latency_ms AS value FROM events
    WHERE outcome <> 'refused'
    UNION ALL
    SELECT ts, org_id, project_id, route, provider, model, 'ttft_ms', ttft_ms FROM events
    WHERE outcome <> 'refused'
    UNION ALL
    SELECT ts, org_id, project_id, route, provider, model, 'output_tokens_per_s',
        tokens_out * 1000.0 / (latency_ms - ttft_ms) FROM events
    WHERE outcome = 'ok' AND stream AND tokens_out > 0 AND latency_ms > ttft_ms
)
SELECT
    time_bucket(INTERVAL 1 HOUR, ts) AS hour,
    org_id, project_id, route, provider, model, measure,
    CAST(ceil(ln(greatest(value, 0.001)) / ln(1.01 / 0.99)) AS INTEGER) AS bucket,
    count(*) AS calls
FROM measured
WHERE value IS NOT NULL
GROUP BY ALL
