-- Totals by bucket of time and by a dimension. $edges: where buckets begin, seconds since the epoch, ascending.
-- $by as in parts/value.sql; $limit: values with a series of their own, those that cost most (then the most called).
-- -> at_s, value (null: all others), totals; buckets without calls have no row
WITH hours AS (
    SELECT CAST(epoch(hour) AS BIGINT) AS hour_s, {value} AS name, {totals}, {usage}, 1 AS one
    FROM hourly GROUP BY ALL
),
first_values AS (
    SELECT name FROM hours GROUP BY name ORDER BY sum(cost_usd) DESC NULLS LAST, sum(calls) DESC, name LIMIT $limit
),
edges AS (SELECT unnest($edges) AS at_s, 1 AS one)
SELECT
    at_s,
    CASE WHEN name IN (SELECT name FROM first_values) THEN name END AS value,
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
FROM hours ASOF JOIN edges ON hours.one = edges.one AND hours.hour_s >= edges.at_s
GROUP BY ALL
ORDER BY at_s, value
