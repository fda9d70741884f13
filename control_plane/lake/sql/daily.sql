-- `hourly` by day (UTC): of the day's rows of it, which stand in the relation `hours`. `hour` is the day's first.
SELECT
    time_bucket(INTERVAL 1 DAY, hour) AS hour,
    org_id, project_id, key_id, team, tags, route, provider, model, status, outcome, refusal_code, provenance, price_match,
    CAST(sum(cost_usd) AS DECIMAL(38, 9)) AS cost_usd,
    TRY_CAST(sum(COLUMNS(* EXCLUDE (
        hour, org_id, project_id, key_id, team, tags, route, provider, model, status, outcome, refusal_code, provenance,
        price_match, cost_usd
    ))) AS BIGINT) AS '\0'
FROM hours
GROUP BY ALL
ORDER BY org_id, project_id, hour
