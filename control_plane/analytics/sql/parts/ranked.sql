-- Of the relation `sums`: the total, then the values that $first names, then the first rows by $sort (cost, calls, errors,
-- refused, tokens). $limit: rows.
SELECT * FROM sums
ORDER BY is_total DESC, list_contains($first, value) DESC, CASE $sort
    WHEN 'cost' THEN coalesce(cost_usd, 0)
    WHEN 'calls' THEN CAST(calls AS DECIMAL(38, 9))
    WHEN 'errors' THEN CAST(calls - ok - refused - left_early AS DECIMAL(38, 9))
    WHEN 'refused' THEN CAST(refused AS DECIMAL(38, 9))
    WHEN 'tokens' THEN CAST(coalesce(tokens_in, 0) + coalesce(tokens_out, 0) AS DECIMAL(38, 9))
END DESC, value
LIMIT $limit + 1
