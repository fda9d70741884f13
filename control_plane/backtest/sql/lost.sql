-- What is refused of whom, in one pass over the calls; all that is told is summed from it.
CREATE TEMP TABLE lost AS
SELECT
    period, counter, user_id, key_id,
    count(*) AS calls, sum(amount) AS amount, sum(cost) AS cost, min(at_us) AS first_us
FROM refused GROUP BY period, counter, user_id, key_id
