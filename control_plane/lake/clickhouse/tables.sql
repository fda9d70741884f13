-- The tables, one statement each, for `lensai clickhouse create`. Columns have the names and meanings of
-- gateway/lake/schema.py, and weight: how many calls a row stands for, 1 but in a sample; unknown is NULL, never 0. A call
-- that comes twice has the same project, time and id, so that it is one row. Each table is divided by day, because a day
-- is what the loader replaces, in one step.
CREATE TABLE IF NOT EXISTS event_rows
(
    ts DateTime64(6, 'UTC'),
    project_id String,
    request_id String,
    user_id String,
    route LowCardinality(String),
    provider LowCardinality(String),
    model LowCardinality(String),
    tokens_in Nullable(Int64),
    tokens_out Nullable(Int64),
    cost_usd Nullable(Decimal(18, 9)),
    latency_ms Nullable(Float64),
    status Nullable(Int16),
    metadata Nullable(String),
    org_id String,
    key_id LowCardinality(String),
    team LowCardinality(String),
    tags Array(LowCardinality(String)),
    upstream LowCardinality(String),
    endpoint LowCardinality(String),
    model_requested LowCardinality(String),
    mode LowCardinality(String),
    stream Bool,
    outcome LowCardinality(String),
    refusal_code LowCardinality(String),
    provenance LowCardinality(String),
    price_match LowCardinality(String),
    price_version LowCardinality(String),
    service_tier LowCardinality(String),
    ttft_ms Nullable(Float64),
    bytes_in Int64,
    bytes_out Int64,
    upstream_status Nullable(Int16),
    upstream_request_id String,
    flags Array(LowCardinality(String)),
    record_version Int16,
    work_id Nullable(String),
    input_text Nullable(Int64),
    input_audio Nullable(Int64),
    input_image Nullable(Int64),
    input_video Nullable(Int64),
    cache_read_text Nullable(Int64),
    cache_read_audio Nullable(Int64),
    cache_read_image Nullable(Int64),
    cache_read_video Nullable(Int64),
    cache_write Nullable(Int64),
    cache_write_5m Nullable(Int64),
    cache_write_30m Nullable(Int64),
    cache_write_1h Nullable(Int64),
    cache_write_12h Nullable(Int64),
    output_text Nullable(Int64),
    output_reasoning Nullable(Int64),
    output_audio Nullable(Int64),
    output_image Nullable(Int64),
    output_video Nullable(Int64),
    output_citation Nullable(Int64),
    output_audio_ms Nullable(Int64),
    web_searches Nullable(Int64),
    file_searches Nullable(Int64),
    input_characters Nullable(Int64),
    input_audio_ms Nullable(Int64),
    input_pages Nullable(Int64),
    input_annotated_pages Nullable(Int64),
    input_messages Nullable(Int64),
    rerank_searches Nullable(Int64),
    input_images Nullable(Int64),
    input_pixels Nullable(Int64),
    output_images Nullable(Int64),
    trained_tokens Nullable(Int64),
    buckets_more Map(String, Int64),
    counters Map(String, Int64),
    ledger_seq Nullable(Int64),
    refusal_reason Nullable(String),
    weight Int64 DEFAULT 1
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMMDD(ts)
ORDER BY (org_id, project_id, ts, request_id);

-- Where the table was made before samples were loaded, or before refusals had reasons.
ALTER TABLE event_rows ADD COLUMN IF NOT EXISTS weight Int64 DEFAULT 1;
ALTER TABLE event_rows ADD COLUMN IF NOT EXISTS refusal_reason Nullable(String);

-- Rollups: what control_plane/lake/sql/*.sql say, by hour. Not by materialized views: those see what is inserted, and
-- would count a call that is sent again a second time.
CREATE TABLE IF NOT EXISTS hourly_rows
(
    hour DateTime64(6, 'UTC'),
    org_id String,
    project_id String,
    key_id LowCardinality(String),
    team LowCardinality(String),
    tags Array(LowCardinality(String)),
    route LowCardinality(String),
    provider LowCardinality(String),
    model LowCardinality(String),
    status Nullable(Int16),
    outcome LowCardinality(String),
    refusal_code LowCardinality(String),
    provenance LowCardinality(String),
    price_match LowCardinality(String),
    calls Int64,
    priced_calls Int64,
    metered_calls Int64,
    cost_usd Nullable(Decimal(38, 9)),
    tokens_in Nullable(Int64),
    tokens_out Nullable(Int64),
    input_text Nullable(Int64),
    input_audio Nullable(Int64),
    input_image Nullable(Int64),
    input_video Nullable(Int64),
    cache_read_text Nullable(Int64),
    cache_read_audio Nullable(Int64),
    cache_read_image Nullable(Int64),
    cache_read_video Nullable(Int64),
    cache_write Nullable(Int64),
    cache_write_5m Nullable(Int64),
    cache_write_30m Nullable(Int64),
    cache_write_1h Nullable(Int64),
    cache_write_12h Nullable(Int64),
    output_text Nullable(Int64),
    output_reasoning Nullable(Int64),
    output_audio Nullable(Int64),
    output_image Nullable(Int64),
    output_video Nullable(Int64),
    output_citation Nullable(Int64),
    output_audio_ms Nullable(Int64),
    web_searches Nullable(Int64),
    file_searches Nullable(Int64),
    input_characters Nullable(Int64),
    input_audio_ms Nullable(Int64),
    input_pages Nullable(Int64),
    input_annotated_pages Nullable(Int64),
    input_messages Nullable(Int64),
    rerank_searches Nullable(Int64),
    input_images Nullable(Int64),
    input_pixels Nullable(Int64),
    output_images Nullable(Int64),
    trained_tokens Nullable(Int64)
)
ENGINE = MergeTree
PARTITION BY toYYYYMMDD(hour)
ORDER BY (org_id, project_id, hour);

CREATE TABLE IF NOT EXISTS hourly_users_rows
(
    hour DateTime64(6, 'UTC'),
    org_id String,
    project_id String,
    user_id String,
    provider LowCardinality(String),
    model LowCardinality(String),
    outcome LowCardinality(String),
    calls Int64,
    priced_calls Int64,
    cost_usd Nullable(Decimal(38, 9)),
    tokens_in Nullable(Int64),
    tokens_out Nullable(Int64)
)
ENGINE = MergeTree
PARTITION BY toYYYYMMDD(hour)
ORDER BY (org_id, project_id, hour);

CREATE TABLE IF NOT EXISTS hourly_latency_rows
(
    hour DateTime64(6, 'UTC'),
    org_id String,
    project_id String,
    route LowCardinality(String),
    provider LowCardinality(String),
    model LowCardinality(String),
    measure LowCardinality(String),
    bucket Int32,
    calls Int64
)
ENGINE = MergeTree
PARTITION BY toYYYYMMDD(hour)
ORDER BY (org_id, project_id, hour)
