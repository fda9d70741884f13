-- One call, whole. $request_id -> all columns of an event, the time of it in microseconds as ts_us, and weight
SELECT epoch_us(ts) AS ts_us, * EXCLUDE (ts) FROM events WHERE request_id = $request_id LIMIT 1
