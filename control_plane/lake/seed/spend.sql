-- What the priced calls of the table `calls` came to, in nano-USD, by project and hour.
SELECT project, ts_us // 3600000000 * 3600 AS hour_s, CAST(sum(cost_nanousd) AS BIGINT) AS cost_nanousd
FROM calls
WHERE cost_nanousd > 0
GROUP BY ALL
ORDER BY ALL
