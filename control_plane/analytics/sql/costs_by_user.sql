-- Totals by user, and of all. $sort, $limit as in parts/ranked.sql -> is_total, value, totals; the total first
WITH named AS (SELECT coalesce(user_id, '') AS value, * FROM hourly_users),
sums AS (
    SELECT CAST(grouping(value) = 1 AS BOOLEAN) AS is_total, value, {totals}
    FROM named GROUP BY GROUPING SETS ((value), ())
)
{ranked}
