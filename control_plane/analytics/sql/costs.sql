-- Totals by a dimension, and of all. $by: one of those below.
-- $sort: cost, calls, errors, refused, tokens. $limit: rows. -> is_total, value, totals; the total first
WITH named AS (
    SELECT
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
        *
    FROM hourly
),
sums AS (
    SELECT
        grouping(value) = 1 AS is_total,
        value,
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
    FROM named
    GROUP BY GROUPING SETS ((value), ())
)
SELECT * FROM sums
ORDER BY is_total DESC, CASE $sort
    WHEN 'cost' THEN coalesce(cost_usd, 0)
    WHEN 'calls' THEN CAST(calls AS DECIMAL(38, 9))
    WHEN 'errors' THEN CAST(calls - ok - refused - left_early AS DECIMAL(38, 9))
    WHEN 'refused' THEN CAST(refused AS DECIMAL(38, 9))
    WHEN 'tokens' THEN CAST(coalesce(tokens_in, 0) + coalesce(tokens_out, 0) AS DECIMAL(38, 9))
END DESC, value
LIMIT $limit + 1
