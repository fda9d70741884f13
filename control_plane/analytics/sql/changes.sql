-- The values of a dimension whose cost differs most between the hours before $edge_us and those from it on, the largest
-- difference first. $by as in parts/value.sql; $limit: rows -> value, change_usd
WITH named AS (SELECT {value} AS value, hour, cost_usd FROM hourly)
{most_changed}
