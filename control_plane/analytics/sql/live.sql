-- Calls that ended since, in the order of their ends. $ended_us: microseconds since the epoch; $limit: rows
-- -> columns of a call, as calls.sql has them, and ended_us
SELECT
    request_id, epoch_us(ts) AS ts_us, project_id, key_id, user_id, team, tags, route, provider, upstream, endpoint,
    model, model_requested, stream, outcome, status, refusal_code, provenance, price_match, cost_usd, tokens_in,
    tokens_out, cache_read_text + cache_read_audio + cache_read_image + cache_read_video AS cache_read_tokens,
    latency_ms, ttft_ms, flags,
    epoch_us(ts) + CAST(coalesce(latency_ms, 0) * 1000 AS BIGINT) AS ended_us
FROM events
WHERE ended_us > $ended_us
ORDER BY ended_us DESC, request_id
LIMIT $limit
