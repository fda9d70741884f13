-- What calls cost and how they ended: sums over a rollup's rows, by whatever they are grouped.
CAST(sum(calls) AS BIGINT) AS calls,
CAST(coalesce(sum(calls) FILTER (WHERE outcome = 'ok'), 0) AS BIGINT) AS ok,
CAST(coalesce(sum(calls) FILTER (WHERE outcome = 'refused'), 0) AS BIGINT) AS refused,
CAST(coalesce(sum(calls) FILTER (WHERE outcome IN ('client_gone', 'cancelled', 'open')), 0) AS BIGINT) AS left_early,
sum(cost_usd) AS cost_usd,
CAST(coalesce(sum(priced_calls), 0) AS BIGINT) AS priced_calls,
CAST(sum(tokens_in) AS BIGINT) AS tokens_in,
CAST(sum(tokens_out) AS BIGINT) AS tokens_out,
CAST(coalesce(sum(calls - priced_calls) FILTER (WHERE outcome <> 'refused'), 0) AS BIGINT) AS unpriced_calls
