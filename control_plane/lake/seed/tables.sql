-- What calls.sql reads, and the two ways in which it draws.
CREATE MACRO draw(n, k) AS hash(xor(n * 64 + k, getvariable('seed'))) / 18446744073709551616.0;
CREATE MACRO normal(n, k) AS sqrt(-2 * ln(1 - draw(n, k))) * cos(6.283185307179586 * draw(n, k + 1));
CREATE TABLE slices (
    source VARCHAR, starts_us BIGINT, length_us BIGINT, first BIGINT, rows BIGINT, begin_row BIGINT, end_row BIGINT
);
CREATE TABLE sources (
    source VARCHAR, project VARCHAR, project_id VARCHAR, org_id VARCHAR, team VARCHAR, users BIGINT, keys BIGINT,
    routes VARCHAR[], in_median DOUBLE, in_spread DOUBLE, out_median DOUBLE, out_spread DOUBLE, streams DOUBLE,
    cached DOUBLE, prefix DOUBLE, limited DOUBLE, metadata VARCHAR
);
CREATE TABLE mix (day BIGINT, source VARCHAR, number INTEGER, offer VARCHAR);
CREATE TABLE keys (source VARCHAR, number INTEGER, key_id VARCHAR, tags VARCHAR[], cancels BOOLEAN);
CREATE TABLE users (source VARCHAR, number INTEGER, user_id VARCHAR);
CREATE TABLE offers (
    offer VARCHAR, upstream VARCHAR, provider VARCHAR, endpoint VARCHAR, requested VARCHAR, answered VARCHAR,
    ttft_median_ms DOUBLE, tokens_per_s DOUBLE, fallback VARCHAR, reasoning DOUBLE, writes_cache BOOLEAN, writes BOOLEAN,
    error_share DOUBLE
);
CREATE TABLE rates (
    offer VARCHAR, from_us BIGINT, to_us BIGINT, match VARCHAR, version VARCHAR, input_text HUGEINT, cache_read_text HUGEINT,
    cache_write_5m HUGEINT, output_text HUGEINT, output_reasoning HUGEINT
);
CREATE TABLE story (
    outage_from_us BIGINT, outage_to_us BIGINT, regression_from_us BIGINT, regression_to_us BIGINT,
    killed_from_us BIGINT, killed_to_us BIGINT, month_from_us BIGINT, month_to_us BIGINT, tokens_in_max BIGINT
);
CREATE TABLE fates AS
SELECT * FROM (VALUES
    ('ok', 'ok', 200, '', 200, 'reported', []),
    ('drained', 'client_gone', 200, '', 200, 'reported', ['client_disconnected', 'drained']),
    ('cut_partial', 'cancelled', 200, '', 200, 'partial', ['client_disconnected']),
    ('cut_estimated', 'cancelled', 200, '', 200, 'estimated', ['client_disconnected', 'output_estimated']),
    ('broken_partial', 'upstream_error', 200, 'upstream_broken', 200, 'partial', []),
    ('broken_estimated', 'upstream_error', 200, 'upstream_broken', 200, 'estimated', ['output_estimated']),
    ('timeout', 'upstream_error', 504, 'upstream_timeout', NULL, 'unknown', []),
    ('unreachable', 'upstream_error', 502, 'upstream_unreachable', NULL, 'none', []),
    ('error_400', 'upstream_error', 400, '', 400, 'none', ['provider_error']),
    ('error_429', 'upstream_error', 429, '', 429, 'none', ['provider_error']),
    ('error_500', 'upstream_error', 500, '', 500, 'none', ['provider_error']),
    ('error_503', 'upstream_error', 503, '', 503, 'none', ['provider_error']),
    ('error_529', 'upstream_error', 529, '', 529, 'none', ['provider_error']),
    ('killed', 'refused', 403, 'kill_switch', NULL, 'none', []),
    ('limited', 'refused', 429, 'rate_limited', NULL, 'none', [])
) AS fate(fate, outcome, status, refusal_code, upstream_status, provenance, flags)
