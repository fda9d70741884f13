-- Totals by user, and of all.
-- $sort: cost, calls, errors, refused, tokens. $limit: rows. -> is_total, value, totals; the total first
WITH named AS (
    SELECT
        coalesce(user_id, '') AS value,
        *
    FROM hourly_users
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
        CAST(coalesce(sum(calls - priced_calls) FILTER (outcome <> 'refused'), 0) AS BIGINT) AS unpriced_calls
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
