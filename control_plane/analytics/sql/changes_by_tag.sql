-- The tags whose cost differs most between the hours before $edge_us and those from it on, the largest difference first.
-- $limit: rows -> value, change_usd
WITH named AS (SELECT unnest(CASE WHEN len(tags) > 0 THEN tags ELSE [''] END) AS value, hour, cost_usd FROM hourly)
{most_changed}
