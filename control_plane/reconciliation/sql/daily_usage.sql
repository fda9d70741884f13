-- What calls used and cost by UTC day, provider and model, and how much of it is no word of the provider's.
-- `unsure` is of calls whose provenance is not "reported"; `across` is of calls that began on the day and ended on
-- another, which the provider may count there; `silent` calls were sent and nobody knows what they used.
-- Refused calls, and those that never left, are nothing to a provider.
WITH sent AS (
    SELECT
        epoch_us(ts) // 86400000000 AS day,
        provider, model,
        coalesce(provenance <> 'reported', true) AS unsure,
        (epoch_us(ts) + CAST(coalesce(latency_ms, 0) * 1000 AS BIGINT)) // 86400000000 <> epoch_us(ts) // 86400000000 AS across,
        tokens_in IS NULL AS silent,
        input_text + input_audio + input_image + input_video AS input,
        cache_read_text + cache_read_audio + cache_read_image + cache_read_video AS cache_read,
        cache_write + cache_write_5m + cache_write_30m + cache_write_1h + cache_write_12h AS cache_write,
        tokens_out AS output,
        web_searches,
        CAST(CAST(cost_usd AS DECIMAL(28, 9)) * 1000000000 AS BIGINT) AS cost
    FROM events
    WHERE outcome <> 'refused' AND coalesce(provenance, '') <> 'none'
)
SELECT
    day, provider, model,
    count(*) AS calls,
    count(*) FILTER (silent) AS silent_calls,
    count(*) FILTER (cost IS NULL) AS unpriced_calls,
    count(*) FILTER (unsure) AS unsure_calls,
    count(*) FILTER (across) AS across_calls,
    CAST(coalesce(sum(input), 0) AS BIGINT) AS input,
    CAST(coalesce(sum(input) FILTER (unsure), 0) AS BIGINT) AS input_unsure,
    CAST(coalesce(sum(input) FILTER (across), 0) AS BIGINT) AS input_across,
    CAST(coalesce(sum(cache_read), 0) AS BIGINT) AS cache_read,
    CAST(coalesce(sum(cache_read) FILTER (unsure), 0) AS BIGINT) AS cache_read_unsure,
    CAST(coalesce(sum(cache_read) FILTER (across), 0) AS BIGINT) AS cache_read_across,
    CAST(coalesce(sum(cache_write), 0) AS BIGINT) AS cache_write,
    CAST(coalesce(sum(cache_write) FILTER (unsure), 0) AS BIGINT) AS cache_write_unsure,
    CAST(coalesce(sum(cache_write) FILTER (across), 0) AS BIGINT) AS cache_write_across,
    CAST(coalesce(sum(output), 0) AS BIGINT) AS output,
    CAST(coalesce(sum(output) FILTER (unsure), 0) AS BIGINT) AS output_unsure,
    CAST(coalesce(sum(output) FILTER (across), 0) AS BIGINT) AS output_across,
    CAST(coalesce(sum(web_searches), 0) AS BIGINT) AS web_searches,
    CAST(coalesce(sum(web_searches) FILTER (unsure), 0) AS BIGINT) AS web_searches_unsure,
    CAST(coalesce(sum(web_searches) FILTER (across), 0) AS BIGINT) AS web_searches_across,
    CAST(sum(cost) AS BIGINT) AS cost,
    CAST(coalesce(sum(cost) FILTER (unsure), 0) AS BIGINT) AS cost_unsure,
    CAST(coalesce(sum(cost) FILTER (across), 0) AS BIGINT) AS cost_across
FROM sent
GROUP BY day, provider, model
ORDER BY day, provider, model
