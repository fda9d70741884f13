-- What cost most.
SELECT model, sum(cost_usd) AS cost_usd
FROM hourly
GROUP BY model
HAVING sum(cost_usd) > 0
ORDER BY sum(cost_usd) DESC, model
LIMIT $limit
