"""Owns Record: the one event a request leaves behind, refusals, disconnects and crashes included.

A Record travels as a msgpack array in journal frames, so the order of its fields is the format:
fields are appended, with a default, and never moved or removed. No prompt or completion text, no
key and no secret is ever in one.
"""

from typing import Literal

import msgspec

# Where the token counts come from. `held`: dispatched, never answered (a crash); `partial`: the
# provider's own numbers of a stream that was cut; `deferred`: work that goes on at the provider, whose usage a
# later call tells and is charged with; `unknown`: not even an estimate.
Provenance = Literal["reported", "partial", "estimated", "held", "deferred", "unknown", "none"]

# How the call ended. `upstream_error`: the provider failed it or refused it (its own error was passed on), or
# could not be reached. `open` is an intent: the request was dispatched and has no end yet.
Outcome = Literal["open", "ok", "refused", "upstream_error", "client_gone", "cancelled", "crashed", "gateway_error"]

# How the price was found; `unpriced` is a state and never a zero. `stated`: a caller that reports said what it cost.
PriceMatch = Literal["exact", "alias", "mapped", "override", "stated", "unpriced", "none"]

# The longest name of a model, a tier or a piece of work that is kept: Bedrock's model ids have so many characters, and
# a frame of the journal has room for all of them.
NAME_CHARS_MAX = 2048
# The flag of a call whose cost, by its price, is beyond what ledgers count exactly: it is unknown.
COST_TOO_LARGE = "cost_too_large"


class Record(msgspec.Struct, frozen=True, array_like=True, kw_only=True, gc=False):
    """One request. Times are integers with their unit in the name; `None` means unknown, never zero."""

    version: int = 1
    request_id: str
    ts_ns: int  # arrival of the request head, UTC, nanoseconds since the epoch
    org_id: str = ""
    project_id: str = ""
    key_id: str = ""
    user_id: str = ""
    team: str = ""
    route: str = ""  # x-lensai-route, else the endpoint's name
    tags: tuple[str, ...] = ()
    metadata: str = ""  # the caller's x-lensai-metadata: a JSON object as text, or empty
    upstream: str = ""  # the upstream's name in the policy: "openai", "azure", "vllm-eu"
    provider: str = ""  # whose dialect and prices: "openai", "azure", "anthropic", "google" …
    endpoint: str = ""  # "chat.completions", "responses", "messages" …
    model_requested: str = ""
    model: str = ""  # the answering model as the response names it, else as mapped or requested
    mode: str = ""  # transparent | metered | guaranteed
    stream: bool = False
    outcome: Outcome = "open"
    status: int = 0  # HTTP status the client was sent; 0 where it was sent none
    refusal_code: str = ""
    provenance: Provenance = "none"
    tokens_in: int | None = None
    tokens_out: int | None = None
    buckets: dict[str, int] | None = None  # non-zero buckets of pricing.usage.Usage
    cost_nanousd: int | None = None
    price_match: PriceMatch = "none"
    price_version: str = ""
    service_tier: str = ""
    latency_us: int | None = None  # request head in -> last response byte out (or the end of the call)
    ttft_us: int | None = None  # request head in -> first response body byte from upstream
    bytes_in: int = 0  # request body as received
    bytes_out: int = 0  # response body as forwarded
    upstream_status: int = 0
    upstream_request_id: str = ""
    flags: tuple[str, ...] = ()  # "client_disconnected", "drained", "retried_stale_connection", "unpriced_model" …
    # The provider's work that the usage is of, where several calls may tell of it: one of them is charged.
    work_id: str = ""
    # Amounts by counter of the ledger: held in an intent, charged in a final; None where no quota matches.
    counters: dict[str, int] | None = None
    ledger_seq: int = 0  # of the final's settlement, which a restart counts once
    # Of what a quota or a kill switch refused or ended: which one, how much was left and wanted, in words for people.
    # Without values of scopes, so that an erasure has nothing to look for but what operators wrote.
    refusal_reason: str = ""


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Record)

encode_record = _encoder.encode
decode_record = _decoder.decode
