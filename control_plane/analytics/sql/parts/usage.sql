-- Beside totals.sql, what `hourly` can tell and `hourly_users` cannot.
CAST(sum(cache_read_text + cache_read_audio + cache_read_image + cache_read_video) AS BIGINT) AS cache_read_tokens,
CAST(coalesce(sum(calls - metered_calls) FILTER (WHERE outcome <> 'refused' AND provenance <> 'none'), 0) AS BIGINT)
    AS unmetered_calls
