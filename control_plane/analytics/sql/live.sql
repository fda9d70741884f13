-- Calls that ended since, in the order of their ends, the last first. $ended_us: microseconds since the epoch; $limit:
-- rows -> parts/call.sql, and ended_us
SELECT {call}, epoch_us(ts) + CAST(coalesce(latency_ms, 0) * 1000 AS BIGINT) AS ended_us
FROM events
WHERE ended_us > $ended_us
ORDER BY ended_us DESC, request_id
LIMIT $limit
