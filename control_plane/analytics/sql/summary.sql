-- Sums over all calls. -> one row of totals
SELECT
    CAST(sum(calls) AS BIGINT) AS calls,
    CAST(coalesce(sum(calls) FILTER (outcome = 'ok'), 0) AS BIGINT) AS ok,
    CAST(coalesce(sum(calls) FILTER (outcome = 'refused'), 0) AS BIGINT) AS refused,
    CAST(coalesce(sum(calls) FILTER (outcome IN ('client_gone', 'cancelled', 'open')), 0) AS BIGINT) AS left_early,
    sum(cost_usd) AS cost_usd,
    CAST(coalesce(sum(priced_calls), 0) AS BIGINT) AS priced_calls,
    CAST(sum(tokens_in) AS BIGINT) AS tokens_in,
    CAST(sum(tokens_out) AS BIGINT) AS tokens_out,
    CAST(coalesce(sum(calls - priced_calls) FILTER (outcome <> 'refused'), 0) AS BIGINT) AS unpriced_calls,
    CAST(sum(cache_read_text + cache_read_audio + cache_read_image + cache_read_video) AS BIGINT) AS cache_read_tokens,
    CAST(coalesce(sum(calls - metered_calls) FILTER (outcome <> 'refused' AND provenance <> 'none'), 0) AS BIGINT)
        AS unmetered_calls
FROM hourly
