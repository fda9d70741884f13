-- Calls as they are in the lake, for a file: a list as words with semicolons between. -> columns of an event
SELECT * REPLACE (
    array_to_string(tags, ';') AS tags,
    array_to_string(flags, ';') AS flags,
    CAST(to_json(buckets_more) AS VARCHAR) AS buckets_more,
    CAST(to_json(counters) AS VARCHAR) AS counters
)
FROM events
