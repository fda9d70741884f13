-- control_plane/lake/sql/hourly_users.sql in ClickHouse's words, over a relation `events`.
SELECT
    toStartOfHour(e.ts) AS hour,
    e.org_id AS org_id, e.project_id AS project_id, e.user_id AS user_id, e.provider AS provider, e.model AS model,
    e.outcome AS outcome,
    toInt64(count()) AS calls,
    toInt64(count(e.cost_usd)) AS priced_calls,
    sum(e.cost_usd) AS cost_usd,
    sum(e.tokens_in) AS tokens_in,
    sum(e.tokens_out) AS tokens_out
FROM events AS e
GROUP BY toStartOfHour(e.ts), e.org_id, e.project_id, e.user_id, e.provider, e.model, e.outcome
