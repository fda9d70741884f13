-- Calls, those that come first by $sort: at (newest first), cost, latency, ttft, tokens (largest first).
-- $before_us and $before_id: for at, those that follow this one; null for the first. $limit: rows. -> columns of a call
SELECT
    request_id, epoch_us(ts) AS ts_us, project_id, key_id, user_id, team, tags, route, provider, upstream, endpoint,
    model, model_requested, stream, outcome, status, refusal_code, provenance, price_match, cost_usd, tokens_in,
    tokens_out, cache_read_text + cache_read_audio + cache_read_image + cache_read_video AS cache_read_tokens,
    latency_ms, ttft_ms, flags
FROM events
WHERE $before_us IS NULL OR ts < make_timestamptz($before_us)
    OR (ts = make_timestamptz($before_us) AND request_id < $before_id)
ORDER BY
    CASE $sort
        WHEN 'cost' THEN CAST(cost_usd AS DOUBLE)
        WHEN 'latency' THEN latency_ms
        WHEN 'ttft' THEN ttft_ms
        WHEN 'tokens' THEN CAST(tokens_in + tokens_out AS DOUBLE)
    END DESC NULLS LAST,
    ts DESC,
    request_id DESC
LIMIT $limit
