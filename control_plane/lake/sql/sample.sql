-- A sample of an organization's calls that knows how many it stands for: of each stratum (a day's partition, by provider,
-- model and outcome) one of $of calls, rounded up, those whose ids hash lowest. The weights of a stratum are whole
-- numbers whose sum is its count, exactly. -> all columns of `part`, and weight: 0 for calls that are dropped
SELECT
    * EXCLUDE (place, calls, kept),
    CASE WHEN place > kept THEN 0 ELSE calls // kept + CAST(place <= calls % kept AS BIGINT) END AS weight
FROM (
    SELECT
        *,
        row_number() OVER (stratum ORDER BY md5(request_id), request_id, ts) AS place,
        count(*) OVER stratum AS calls,
        CAST(ceil(calls / $of) AS BIGINT) AS kept
    FROM part
    WHERE coalesce(org_id, '') = $org_id
    WINDOW stratum AS (PARTITION BY provider, model, outcome)
)
