-- Usage by bucket, of each model and day (UTC): what one price holds for. -> provider, model, day_s, buckets
SELECT
    provider,
    model,
    CAST(epoch(date_trunc('day', hour)) AS BIGINT) AS day_s,
    {buckets}
FROM hourly
WHERE metered_calls > 0
GROUP BY provider, model, day_s
ORDER BY provider, model, day_s
