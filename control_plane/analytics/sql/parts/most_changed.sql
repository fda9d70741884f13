-- Of the relation `named`: the values whose sums on both sides of $edge_us differ most. $limit: rows.
SELECT
    value,
    sum(CASE WHEN hour >= make_timestamptz($edge_us) THEN cost_usd ELSE -cost_usd END) AS change_usd
FROM named GROUP BY value
ORDER BY abs(coalesce(change_usd, 0)) DESC, value
LIMIT $limit
