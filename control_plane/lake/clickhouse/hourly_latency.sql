-- control_plane/lake/sql/hourly_latency.sql in ClickHouse's words, over a relation `events`: the same buckets.
SELECT
    toStartOfHour(ts) AS hour, org_id, project_id, route, provider, model,
    measured.1 AS measure,
    toInt32(ceil(log(greatest(assumeNotNull(measured.2), 0.001)) / log(1.01 / 0.99))) AS bucket,
    toInt64(count()) AS calls
FROM events
ARRAY JOIN [
    ('latency_ms', if(outcome <> 'refused', latency_ms, NULL)),
    ('ttft_ms', if(outcome <> 'refused', ttft_ms, NULL)),
    ('output_tokens_per_s', if(outcome = 'ok' AND stream AND tokens_out > 0 AND latency_ms > ttft_ms,
        tokens_out * 1000.0 / (latency_ms - ttft_ms), NULL))
] AS measured
WHERE measured.2 IS NOT NULL
GROUP BY hour, org_id, project_id, route, provider, model, measure, bucket
