-- All of the time: how many of whom would have been refused.
SELECT
    CAST(coalesce(sum(calls), 0) AS BIGINT), CAST(coalesce(sum(amount), 0) AS BIGINT),
    CAST(coalesce(sum(cost), 0) AS BIGINT), min(first_us),
    count(DISTINCT nullif(user_id, '')), count(DISTINCT nullif(key_id, ''))
FROM lost
