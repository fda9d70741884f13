-- control_plane/analytics/sql/summary.sql in ClickHouse's words.
SELECT
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
