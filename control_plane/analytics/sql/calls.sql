-- Calls, those that come first by $sort: at (newest first), cost, latency, ttft, tokens (largest first).
-- $before_us and $before_id: for at, those that follow this one; null for the first. $limit: rows. -> parts/call.sql
SELECT {call}
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
