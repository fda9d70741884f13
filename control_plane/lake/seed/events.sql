-- The table `calls` as events: the columns of gateway/lake/schema.py that the seed fills, in the order of a landing file.
SELECT
    ts_us AS ts,
    project_id,
    format('req_{:016x}{:06x}', hash(xor(ts_us // 86400000000, getvariable('seed'))), n) AS request_id,
    user_id,
    routes[1 + CAST(floor(pow(draw(n, 30), 2) * len(routes)) AS INTEGER)] AS route,
    provider,
    CASE WHEN is_metered THEN answered ELSE requested END AS model,
    CASE WHEN is_metered THEN prompt END AS tokens_in,
    CASE WHEN is_metered THEN text + thought END AS tokens_out,
    CAST(cost_nanousd AS DECIMAL(18, 0)) * CAST(0.000000001 AS DECIMAL(18, 9)) AS cost_usd,
    CASE
        WHEN outcome = 'refused' THEN 150 + CAST(round(500 * draw(n, 31)) AS BIGINT)
        WHEN fate = 'timeout' THEN 60000000 + sent_us
        WHEN NOT is_metered THEN CAST(round(60000 * slow * exp(0.6 * normal(n, 18))) AS BIGINT) + sent_us
        ELSE waited_us + wrote_us + sent_us
    END / 1000 AS latency_ms,
    status,
    CASE WHEN metadata <> '' AND draw(n, 32) < 0.6
        THEN format('{{"{}":"{}-{}"}}', metadata, upper(metadata[1:2]), 10000 + CAST(floor(draw(n, 33) * 80000) AS INTEGER))
    END AS metadata,
    org_id,
    key_id,
    team,
    CASE WHEN turned THEN list_append(key_tags, 'failover') ELSE key_tags END AS tags,
    upstream,
    endpoint,
    requested AS model_requested,
    'metered' AS mode,
    stream,
    outcome,
    refusal_code,
    provenance,
    price_match,
    price_version,
    CASE WHEN is_metered AND provider = 'openai' AND writes THEN 'default' ELSE '' END AS service_tier,
    CASE
        WHEN outcome = 'refused' OR upstream_status IS NULL THEN NULL
        WHEN NOT is_metered THEN CAST(round(60000 * slow * exp(0.6 * normal(n, 18))) AS BIGINT)
        WHEN stream THEN waited_us
        ELSE waited_us + wrote_us
    END / 1000 AS ttft_ms,
    320 + prompt * 4 AS bytes_in,
    CASE WHEN NOT is_metered THEN 260 WHEN stream THEN 900 + text * 190 ELSE 700 + text * 4 END AS bytes_out,
    upstream_status,
    CASE WHEN upstream_status IS NULL THEN '' ELSE format('{}_{:016x}', provider, hash(xor(n * 64 + 34, getvariable('seed'))))
    END AS upstream_request_id,
    flags,
    1 AS record_version,
    CASE WHEN is_metered THEN prompt - read - written END AS input_text,
    CASE WHEN is_metered THEN read END AS cache_read_text,
    CASE WHEN is_metered THEN written END AS cache_write_5m,
    CASE WHEN is_metered THEN text END AS output_text,
    CASE WHEN is_metered THEN thought END AS output_reasoning
FROM calls
ORDER BY project_id, ts_us, request_id
