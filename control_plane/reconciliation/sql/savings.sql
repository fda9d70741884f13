-- What calls used, by what they asked for and what answered: sums of buckets, to be priced at either's rates.
SELECT
    coalesce(provider, '') AS provider, coalesce(upstream, '') AS upstream,
    coalesce(model_requested, '') AS model_requested, coalesce(model, '') AS model,
    count(*) AS calls, CAST(coalesce(sum(CAST(CAST(cost_usd AS DECIMAL(28, 9)) * 1000000000 AS BIGINT)), 0) AS BIGINT) AS cost,
    count(cost_usd) AS priced_calls,
    {buckets}
FROM events
WHERE outcome <> 'refused' AND tokens_in IS NOT NULL
GROUP BY ALL ORDER BY ALL
