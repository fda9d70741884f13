-- Calls that did not end well, alike in these. $limit: rows. -> outcome, status, refusal_code, provider, calls
SELECT outcome, status, refusal_code, provider, CAST(sum(calls) AS BIGINT) AS calls
FROM hourly
WHERE outcome <> 'ok'
GROUP BY outcome, status, refusal_code, provider
ORDER BY sum(calls) DESC, outcome, status, refusal_code, provider
LIMIT $limit
