-- The users whose cost differs most between the hours before $edge_us and those from it on, the largest difference first.
-- $limit: rows -> value, change_usd
WITH named AS (SELECT coalesce(user_id, '') AS value, hour, cost_usd FROM hourly_users)
{most_changed}
