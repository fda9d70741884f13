-- What calls cost, by day (UTC): of the day's rows of `hourly`, which stand in the relation `hours`. $dt is the day.
-- `cost_usd` is of the calls whose cost is known; null where none is.
SELECT
    CAST($dt AS DATE) AS dt,
    project_id, provider, model, route,
    CAST(sum(cost_usd) AS DECIMAL(38, 9)) AS cost_usd,
    CAST(sum(calls) AS BIGINT) AS calls,
    org_id
FROM hours
GROUP BY ALL
ORDER BY org_id, project_id, provider, model, route
