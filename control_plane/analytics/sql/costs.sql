-- Totals by a dimension, and of all. $by as in parts/value.sql; $sort, $limit as in parts/ranked.sql
-- -> is_total, value, totals; the total first
WITH named AS (SELECT {value} AS value, * FROM hourly),
sums AS (
    SELECT CAST(grouping(value) = 1 AS BOOLEAN) AS is_total, value, {totals}, {usage}
    FROM named GROUP BY GROUPING SETS ((value), ())
)
{ranked}
