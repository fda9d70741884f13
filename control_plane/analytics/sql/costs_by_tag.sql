-- Totals by tag: a call counts for each of its tags, and once for the total. $sort, $limit as in parts/ranked.sql
-- -> is_total, value, totals; the total first
WITH named AS (SELECT unnest(CASE WHEN len(tags) > 0 THEN tags ELSE [''] END) AS value, * FROM hourly),
sums AS (
    SELECT false AS is_total, value, {totals}, {usage} FROM named GROUP BY value
    UNION ALL
    SELECT true AS is_total, NULL AS value, {totals}, {usage} FROM hourly
)
{ranked}
