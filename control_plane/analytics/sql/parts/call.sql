-- The columns of a call in a list; of a sampled day it stands for `weight` calls.
request_id, epoch_us(ts) AS ts_us, project_id, key_id, user_id, team, tags, route, provider, upstream, endpoint,
model, model_requested, stream, outcome, status, refusal_code, provenance, price_match, cost_usd, tokens_in,
tokens_out, cache_read_text + cache_read_audio + cache_read_image + cache_read_video AS cache_read_tokens,
latency_ms, ttft_ms, flags, weight
