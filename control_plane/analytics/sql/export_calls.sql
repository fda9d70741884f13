-- Calls as they are in the lake, for a file: a list as words with semicolons between, a map as JSON, null if it is empty.
-- -> columns of an event, and weight: for how many calls a row stands, more than 1 where a day is kept as a sample
SELECT * REPLACE (
    array_to_string(tags, ';') AS tags,
    array_to_string(flags, ';') AS flags,
    CASE WHEN cardinality(buckets_more) > 0 THEN CAST(to_json(buckets_more) AS VARCHAR) END AS buckets_more,
    CASE WHEN cardinality(counters) > 0 THEN CAST(to_json(counters) AS VARCHAR) END AS counters
)
FROM events
