"""Owns the table of metrics: every name /metrics can show, with its labels and its sentence. Counts nothing.

`python -m gateway.metrics` prints docs/reference/metrics.md.
"""

import sys
from typing import Literal

import msgspec

Kind = Literal["counter", "gauge", "histogram"]

# Upper bounds in µs. A refusal takes well under a millisecond, a long reasoning call several minutes;
# in between, steps of about two keep a quantile within a factor of 1.5.
DURATION_BOUNDS_US = (
    1_000, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 2_500_000, 5_000_000, 10_000_000, 30_000_000, 60_000_000, 120_000_000, 300_000_000,
)  # fmt: skip
# First bytes come sooner and matter more finely.
TTFT_BOUNDS_US = (
    10_000, 25_000, 50_000, 100_000, 200_000, 300_000, 500_000, 750_000,
    1_000_000, 1_500_000, 2_500_000, 5_000_000, 10_000_000, 30_000_000, 60_000_000,
)  # fmt: skip


class Metric(msgspec.Struct, frozen=True):
    """One row. `probed` says that the value is read from its owner at scrape time, not counted from records."""

    name: str  # as in queries: a counter's ends in _total
    kind: Kind
    labels: tuple[str, ...]
    help: str
    probed: bool = False


_ROWS = (
    Metric(
        "lensai_requests_total",
        "counter",
        ("project", "provider", "model", "endpoint", "outcome", "status"),
        "Calls that ended, refused ones included. `status` is what the client was sent, 0 if nothing.",
    ),
    Metric(
        "lensai_tokens_total",
        "counter",
        ("project", "provider", "model", "direction"),
        "Tokens of calls whose usage is known. `direction` is `input` (cached tokens included) or `output` "
        "(reasoning included).",
    ),
    Metric(
        "lensai_cost_usd_total",
        "counter",
        ("project", "provider", "model"),
        "Cost of priced calls in USD; summed in nano-USD, so no cent is lost to rounding before the scrape.",
    ),
    Metric(
        "lensai_request_duration_seconds",
        "histogram",
        ("provider", "model", "endpoint"),
        "From the request's head to the last byte of its answer, or to the end of the call.",
    ),
    Metric(
        "lensai_ttft_seconds",
        "histogram",
        ("provider", "model", "endpoint"),
        "From the request's head to the first byte of the provider's answer, streams only.",
    ),
    Metric(
        "lensai_upstream_errors_total",
        "counter",
        ("upstream", "upstream_status"),
        "Calls that failed at the provider, errors passed on included. `upstream_status` is its answer, 0 for none.",
    ),
    Metric(
        "lensai_refusals_total",
        "counter",
        ("project", "code"),
        "Calls the gateway refused, by reason code. `project` is empty for callers it could not identify.",
    ),
    Metric(
        "lensai_unpriced_total",
        "counter",
        ("provider", "model"),
        "Calls no price was found for. Their cost is unknown and not in `lensai_cost_usd_total`.",
    ),
    Metric(
        "lensai_provenance_total",
        "counter",
        ("provider", "model", "provenance"),
        "Calls by where their token counts come from: reported, partial, estimated, held, unknown or none.",
    ),
    Metric("lensai_inflight_requests", "gauge", (), "Calls under way.", probed=True),
    Metric("lensai_connections", "gauge", (), "Open client connections.", probed=True),
    Metric("lensai_upstream_connections", "gauge", (), "Connections to providers, open or opening.", probed=True),
    Metric("lensai_tasks", "gauge", (), "Background tasks under way; one syncs the journal.", probed=True),
    Metric("lensai_body_buffer_bytes", "gauge", (), "Request bodies held, of `body_buffer_bytes_max`.", probed=True),
    Metric("lensai_journal_bytes_total", "counter", (), "Bytes written to the journal.", probed=True),
    Metric("lensai_journal_frames_total", "counter", (), "Frames (intents and finals) journaled.", probed=True),
    Metric("lensai_journal_faults_total", "counter", (), "Journal writes or syncs that failed.", probed=True),
    Metric("lensai_journal_segments_waiting", "gauge", (), "Segments that have not landed yet.", probed=True),
    Metric("lensai_journal_sync_age_seconds", "gauge", (), "Time since the journal was last synced.", probed=True),
    Metric("lensai_policy_version", "gauge", (), "Version of the policy being served.", probed=True),
    Metric("lensai_policy_age_seconds", "gauge", (), "Time since that policy was loaded.", probed=True),
    Metric("lensai_policy_refused", "gauge", (), "1 while the file is bad and an older policy is served.", probed=True),
    Metric(
        "lensai_policy_source",
        "gauge",
        ("source",),
        "1 for what is served beside the file's policy: nothing (`file`), what a `control_plane` publishes, or what "
        "one published to an earlier process (`disk`).",
        probed=True,
    ),
    Metric(
        "lensai_published_version", "gauge", (), "Version of what the control plane published, as served.", probed=True
    ),
    Metric(
        "lensai_published_lag_seconds",
        "gauge",
        (),
        "From when the control plane sent what was applied last to when it was in force, by both their clocks.",
        probed=True,
    ),
    Metric(
        "lensai_published_refused_total", "counter", (), "Items of the control plane that were refused.", probed=True
    ),
    Metric(
        "lensai_published_waiting",
        "gauge",
        (),
        "Items of the control plane that are not served because of others: something they name is missing, or the file "
        "has the same.",
        probed=True,
    ),
    Metric("lensai_control_plane_connected", "gauge", (), "1 while the control plane tells of changes.", probed=True),
    Metric(
        "lensai_control_plane_failures_total",
        "counter",
        ("what",),
        "What failed with the control plane: an answer that broke off or never came (`answer`), one of whose lines was "
        "not believed (`line`), a report that was not taken (`report`).",
        probed=True,
    ),
    Metric(
        "lensai_crossings_untold", "gauge", (), "Thresholds that the control plane has not heard of yet.", probed=True
    ),
    Metric(
        "lensai_quota_limit",
        "gauge",
        ("quota", "unit"),
        "What a quota allows now, overrides included, in its unit (USD, tokens, requests, calls). Not shown of one "
        "without a limit.",
        probed=True,
    ),
    Metric(
        "lensai_quota_settled",
        "gauge",
        ("quota", "unit"),
        "What calls that ended have consumed of it in this window. Of a scope with `*`, here and below, that of the "
        "value which has consumed most.",
        probed=True,
    ),
    Metric("lensai_quota_held", "gauge", ("quota", "unit"), "What calls under way hold of it.", probed=True),
    Metric(
        "lensai_quota_leased",
        "gauge",
        ("quota", "unit"),
        "What of it other gateways may spend without asking. Not shown where none may.",
        probed=True,
    ),
    Metric(
        "lensai_quota_denials_total",
        "counter",
        ("quota", "code"),
        "Calls and streams that a quota refused or ended, by reason code.",
        probed=True,
    ),
    Metric(
        "lensai_quota_thresholds_total",
        "counter",
        ("quota", "threshold"),
        "Thresholds that were reached, each once in a window for each counter. `threshold` is per cent.",
        probed=True,
    ),
    Metric(
        "lensai_quota_soft_failures_total",
        "counter",
        ("quota", "reason"),
        "Calls let through that a quota could not or would not stop: `over_alert` (its action is `alert`, and it is "
        "over its limit), `unbounded` and `unpriced` (its ceiling stood in, or its action is `alert` and the cost is "
        "not known), `ledger_unavailable` (its action is `alert`, and what other gateways count is not known).",
        probed=True,
    ),
    Metric(
        "lensai_ledger_open",
        "gauge",
        (),
        "1 while the ledger that gateways share lends to this one; 0 while its store cannot be asked, or waits for "
        "other gateways: what is lent is spent, then quotas that block answer 503. Not shown without `ledger_url`.",
        probed=True,
    ),
    Metric("lensai_event_loop_lag_seconds", "gauge", (), "The latest the event loop woke recently.", probed=True),
)
METRICS = {row.name: row for row in _ROWS}

_PREAMBLE = """<!-- Generated by `python -m gateway.metrics`; edit gateway/metrics.py instead. -->
# Metrics

What `GET /metrics` on the admin listener shows, in Prometheus' text format. Everything counts from the
start of the process. The usual `process_*` metrics are there too.

A `model` is the one that answered, as the answer names it; of a failed call, the one that was asked for. A name the
gateway has never seen answered, and any label combination beyond the series limit, is counted under `other`: callers
choose model names, so they must not choose how many series there are.

| metric | kind | labels | meaning |
|---|---|---|---|
"""


def metrics_page() -> str:
    """`docs/reference/metrics.md`, whole."""
    rows = (
        f"| `{row.name}` | {row.kind} | {', '.join(f'`{label}`' for label in row.labels) or '–'} | {row.help} |\n"
        for row in _ROWS
    )
    return _PREAMBLE + "".join(rows) + "\n" + _bounds_text()


def _bounds_text() -> str:
    """The buckets, in seconds, as sentences."""
    named = (("lensai_request_duration_seconds", DURATION_BOUNDS_US), ("lensai_ttft_seconds", TTFT_BOUNDS_US))
    return "".join(
        f"Buckets of `{name}`, in seconds: {', '.join(f'{bound / 1e6:g}' for bound in bounds)}.\n\n"
        for name, bounds in named
    ).removesuffix("\n")


if __name__ == "__main__":
    sys.stdout.write(metrics_page())
