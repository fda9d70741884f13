-- control_plane/analytics/sql/costs.sql in ClickHouse's words.
WITH named AS (
    SELECT
        coalesce(CASE {by:Nullable(String)}
            WHEN 'model' THEN toString(model)
            WHEN 'provider' THEN toString(provider)
            WHEN 'route' THEN toString(route)
            WHEN 'key' THEN toString(key_id)
            WHEN 'team' THEN toString(team)
            WHEN 'project' THEN project_id
            WHEN 'outcome' THEN toString(outcome)
            WHEN 'provenance' THEN toString(provenance)
            WHEN 'status' THEN toString(status)
        END, '') AS value,
        *
    FROM hourly
),
sums AS (
    SELECT
        false AS is_total,
        toNullable(h.value) AS value,
        sum(h.calls) AS calls,
        sumIf(h.calls, h.outcome = 'ok') AS ok,
        sumIf(h.calls, h.outcome = 'refused') AS refused,
        sumIf(h.calls, h.outcome IN ('client_gone', 'cancelled', 'open')) AS left_early,
        sum(h.cost_usd) AS cost_usd,
        sum(h.priced_calls) AS priced_calls,
        sum(h.tokens_in) AS tokens_in,
        sum(h.tokens_out) AS tokens_out,
        sumIf(h.calls - h.priced_calls, h.outcome <> 'refused') AS unpriced_calls,
        sum(h.cache_read_text + h.cache_read_audio + h.cache_read_image + h.cache_read_video) AS cache_read_tokens,
        sumIf(h.calls - h.metered_calls, h.outcome <> 'refused' AND h.provenance <> 'none') AS unmetered_calls
    FROM named AS h
    GROUP BY h.value
    UNION ALL
    SELECT
        true AS is_total,
        NULL AS value,
        sumOrNull(h.calls) AS calls,
        sumIf(h.calls, h.outcome = 'ok') AS ok,
        sumIf(h.calls, h.outcome = 'refused') AS refused,
        sumIf(h.calls, h.outcome IN ('client_gone', 'cancelled', 'open')) AS left_early,
        sum(h.cost_usd) AS cost_usd,
        sum(h.priced_calls) AS priced_calls,
        sum(h.tokens_in) AS tokens_in,
        sum(h.tokens_out) AS tokens_out,
        sumIf(h.calls - h.priced_calls, h.outcome <> 'refused') AS unpriced_calls,
        sum(h.cache_read_text + h.cache_read_audio + h.cache_read_image + h.cache_read_video) AS cache_read_tokens,
        sumIf(h.calls - h.metered_calls, h.outcome <> 'refused' AND h.provenance <> 'none') AS unmetered_calls
    FROM hourly AS h
)
SELECT * FROM sums
ORDER BY is_total DESC, CASE {sort:String}
    WHEN 'cost' THEN coalesce(cost_usd, 0)
    WHEN 'calls' THEN toDecimal128(calls, 9)
    WHEN 'errors' THEN toDecimal128(calls - ok - refused - left_early, 9)
    WHEN 'refused' THEN toDecimal128(refused, 9)
    WHEN 'tokens' THEN toDecimal128(coalesce(tokens_in, 0) + coalesce(tokens_out, 0), 9)
END DESC, value
LIMIT {limit:UInt32} + 1
