-- Totals by bucket of time and by a dimension. $edges: where buckets begin, seconds since the epoch, ascending.
-- $by: one of those below, or null; $limit: values with a series of their own, those that cost most (then the most
-- called). -> at_s, value (null: all others), totals; buckets without calls have no row
WITH hours AS (
    SELECT
        epoch_us(hour) // 1000000 AS hour_s,
        coalesce(CASE $by
            WHEN 'model' THEN model
            WHEN 'provider' THEN provider
            WHEN 'route' THEN route
            WHEN 'key' THEN key_id
            WHEN 'team' THEN team
            WHEN 'project' THEN project_id
            WHEN 'outcome' THEN outcome
            WHEN 'provenance' THEN provenance
            WHEN 'status' THEN CAST(status AS VARCHAR)
        END, '') AS value,
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
    GROUP BY ALL
),
first_values AS (
    SELECT value FROM hours GROUP BY value ORDER BY sum(cost_usd) DESC NULLS LAST, sum(calls) DESC, value LIMIT $limit
),
edges AS (SELECT unnest($edges) AS at_s)
SELECT
    at_s,
    CASE WHEN value IN (SELECT value FROM first_values) THEN value END AS value,
    CAST(sum(calls) AS BIGINT) AS calls,
    CAST(sum(ok) AS BIGINT) AS ok,
    CAST(sum(refused) AS BIGINT) AS refused,
    CAST(sum(left_early) AS BIGINT) AS left_early,
    CAST(sum(priced_calls) AS BIGINT) AS priced_calls,
    CAST(sum(tokens_in) AS BIGINT) AS tokens_in,
    CAST(sum(tokens_out) AS BIGINT) AS tokens_out,
    CAST(sum(unpriced_calls) AS BIGINT) AS unpriced_calls,
    CAST(sum(cache_read_tokens) AS BIGINT) AS cache_read_tokens,
    CAST(sum(unmetered_calls) AS BIGINT) AS unmetered_calls,
    sum(cost_usd) AS cost_usd
FROM hours ASOF JOIN edges ON hours.hour_s >= edges.at_s
GROUP BY ALL
ORDER BY at_s, value
