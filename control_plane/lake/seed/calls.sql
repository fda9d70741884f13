-- The calls of the tables `slices`, `sources`, `mix`, `keys`, `users`, `offers`, `rates` and `story`, with what each used
-- and cost; one row a call. All that looks like chance is a hash of the call's number and the seed: draw(n, k) is the
-- k-th number in [0, 1) of call n, and normal(n, k) is made of the k-th and the next. No budget is looked at yet.
CREATE OR REPLACE TEMP TABLE calls AS
WITH numbered AS (
    SELECT source, first + i AS n, starts_us + CAST(floor((i + draw(first + i, 0)) * length_us / rows) AS BIGINT) AS ts_us
    FROM (SELECT *, unnest(range(begin_row, end_row)) AS i FROM slices)
),
placed AS (
    SELECT
        numbered.*, sources.* EXCLUDE (source),
        ts_us // 86400000000 AS day,
        CAST(floor(draw(n, 1) * 100) AS INTEGER) AS mix_number,
        CAST(floor(pow(draw(n, 2), 1.7) * keys) AS INTEGER) AS key_number,
        -- A Zipf: the second user calls half as often as the first.
        CAST(floor(exp(draw(n, 3) * ln(users + 1)) - 1) AS INTEGER) AS user_number
    FROM numbered
    JOIN sources USING (source)
),
asked AS (
    SELECT
        placed.*, mix.offer AS first_offer, keys.key_id, keys.tags AS key_tags, keys.cancels, users.user_id,
        draw(n, 4) AS luck
    FROM placed
    JOIN mix ON mix.source = placed.source AND mix.number = mix_number AND mix.day = placed.day
    JOIN keys ON keys.source = placed.source AND keys.number = key_number
    JOIN users ON users.source = placed.source AND users.number = user_number
),
-- While a provider is down its callers turn to others, more and more of them.
turned AS (
    SELECT
        asked.*, story.*, down.fallback IS NOT NULL AS is_down,
        is_down AND luck < least(0.9, 0.25 + 0.75 * (ts_us - outage_from_us) / (outage_to_us - outage_from_us)) AS turned,
        CASE WHEN turned THEN down.fallback ELSE first_offer END AS offer
    FROM asked
    CROSS JOIN story
    LEFT JOIN offers AS down
        ON down.offer = first_offer AND down.fallback <> '' AND ts_us >= outage_from_us AND ts_us < outage_to_us
),
ended AS (
    SELECT
        turned.*, offers.* EXCLUDE (offer),
        offers.writes AND draw(n, 5) < streams AS stream,
        draw(n, 6) AS fortune,
        CASE
            WHEN project = 'research' AND ts_us >= killed_from_us AND ts_us < killed_to_us THEN 'killed'
            WHEN draw(n, 7) < limited THEN 'limited'
            WHEN is_down AND NOT turned AND fortune < 0.5 THEN 'error_529'
            WHEN is_down AND NOT turned AND fortune < 0.72 THEN 'error_503'
            WHEN is_down AND NOT turned AND fortune < 0.8 THEN 'timeout'
            WHEN fortune < error_share * 0.45 THEN 'error_429'
            WHEN fortune < error_share * 0.7 THEN 'error_500'
            WHEN fortune < error_share * 0.8 THEN 'error_503'
            WHEN fortune < error_share * 0.95 THEN 'error_400'
            WHEN fortune < error_share THEN 'unreachable'
            WHEN fortune < error_share + 0.0004 THEN 'timeout'
            WHEN stream AND fortune > 0.9985 THEN CASE WHEN writes_cache THEN 'broken_partial' ELSE 'broken_estimated' END
            WHEN stream AND fortune > 0.985 THEN CASE
                WHEN NOT cancels THEN 'drained' WHEN writes_cache THEN 'cut_partial' ELSE 'cut_estimated' END
            ELSE 'ok'
        END AS fate
    FROM turned
    JOIN offers USING (offer)
),
sized AS (
    SELECT
        ended.*, fates.* EXCLUDE (fate),
        provenance IN ('reported', 'partial', 'estimated') AS is_metered,
        CAST(greatest(12, least(tokens_in_max, round(in_median * exp(in_spread * normal(n, 8))))) AS BIGINT) AS prompt,
        -- What is cached is cached by 128 tokens, and from 1,024 on.
        CASE WHEN prompt >= 1024 AND draw(n, 10) < cached
            THEN CAST(floor(prompt * prefix * (0.7 + 0.3 * draw(n, 11)) / 128) AS BIGINT) * 128 ELSE 0 END AS read,
        CASE WHEN writes_cache AND read = 0 AND prompt >= 1024 AND draw(n, 12) < 0.7 AND cached > 0
            THEN CAST(floor(prompt * prefix) AS BIGINT) ELSE 0 END AS written,
        -- A stream that was cut was cut somewhere.
        CASE WHEN provenance IN ('partial', 'estimated') THEN 0.1 + 0.8 * draw(n, 13) ELSE 1.0 END AS share,
        CASE WHEN writes THEN CAST(greatest(1, round(share * out_median * exp(out_spread * normal(n, 14)))) AS BIGINT)
            ELSE 0 END AS text,
        CAST(round(text * reasoning * exp(0.5 * normal(n, 16))) AS BIGINT) AS thought
    FROM ended
    JOIN fates USING (fate)
),
timed AS (
    SELECT
        sized.*,
        CASE WHEN offer = 'gpt-5-mini' AND ts_us >= regression_from_us AND ts_us < regression_to_us THEN 3.0
            WHEN is_down THEN 1.6 ELSE 1.0 END AS slow,
        CAST(round(1000 * slow * exp(0.35 * normal(n, 18)) * (ttft_median_ms + prompt * 0.004)) AS BIGINT) AS waited_us,
        CAST(round(1000000 * slow * exp(0.2 * normal(n, 20)) * (text + thought) / tokens_per_s) AS BIGINT) AS wrote_us,
        1500 + CAST(round(2500 * draw(n, 22)) AS BIGINT) AS sent_us
    FROM sized
)
SELECT
    n, ts_us, project, project_id, org_id, team, key_id, key_tags, user_id, routes, metadata, month_from_us, month_to_us,
    upstream, provider, endpoint, requested, answered, writes, turned, stream, fate, outcome, status, refusal_code,
    upstream_status, provenance, flags, is_metered, prompt, read, written, text, thought, slow, waited_us, wrote_us, sent_us,
    CASE WHEN is_metered THEN match ELSE 'none' END AS price_match,
    CASE WHEN is_metered THEN version ELSE '' END AS price_version,
    -- Exact in atto-USD; rounded once, half to even, as pricing/money.py does.
    CASE
        WHEN is_metered AND match <> 'unpriced' THEN (prompt - read - written) * rates.input_text
            + read * rates.cache_read_text + written * rates.cache_write_5m
            + text * coalesce(rates.output_text, 0) + thought * coalesce(rates.output_reasoning, 0)
        WHEN provenance = 'none' THEN CAST(0 AS HUGEINT)
    END AS attousd,
    CAST(attousd // 1000000000 AS BIGINT) AS whole,
    CAST(attousd % 1000000000 AS BIGINT) AS rest,
    whole + CASE WHEN rest > 500000000 OR (rest = 500000000 AND whole % 2 = 1) THEN 1 ELSE 0 END AS cost_nanousd
FROM timed
JOIN rates ON timed.offer = rates.offer AND timed.ts_us >= rates.from_us AND timed.ts_us < rates.to_us
