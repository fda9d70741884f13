-- control_plane/analytics/sql/timeseries.sql in ClickHouse's words.
WITH hours AS (
    SELECT
        toUnixTimestamp(h.hour) AS hour_s,
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
        END, '') AS name,
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
    FROM hourly AS h
    GROUP BY hour_s, name
),
first_values AS (
    SELECT name FROM hours GROUP BY name ORDER BY sum(cost_usd) DESC NULLS LAST, sum(calls) DESC, name LIMIT {limit:UInt32}
)
SELECT
    toInt64(roundDown(h.hour_s, {edges:Array(Int64)})) AS at_s,
    if(h.name IN (SELECT name FROM first_values), toNullable(h.name), NULL) AS value,
    sum(h.calls) AS calls,
    sum(h.ok) AS ok,
    sum(h.refused) AS refused,
    sum(h.left_early) AS left_early,
    sum(h.priced_calls) AS priced_calls,
    sum(h.tokens_in) AS tokens_in,
    sum(h.tokens_out) AS tokens_out,
    sum(h.unpriced_calls) AS unpriced_calls,
    sum(h.cache_read_tokens) AS cache_read_tokens,
    sum(h.unmetered_calls) AS unmetered_calls,
    sum(h.cost_usd) AS cost_usd
FROM hours AS h
GROUP BY at_s, value
ORDER BY at_s, value
