import io
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from gateway.cli.explain import catalog_of, explained, find, main, policy_of
from gateway.contract.policy import Policy, PriceOverride, Unit, encode_policy
from gateway.contract.record import Record, encode_record
from gateway.journal.frame import FINAL, INTENT, encode, header
from gateway.lake.batch import to_table
from gateway.lake.parquet import encode_parquet
from gateway.policy import KEPT_NAME
from gateway.settings import Settings
from pricing.catalog import Catalog

CATALOG = Catalog.load()
CALL = Record(
    request_id="req_1", ts_ns=1_800_000_000 * 10**9, project_id="web", key_id="ci", user_id="zoe\x1b[31m",
    upstream="openai", provider="openai", endpoint="chat.completions", model_requested="gpt-4o",
    model="gpt-4o-2024-08-06", mode="metered", outcome="ok", status=200, provenance="reported", tokens_in=1000,
    tokens_out=100, buckets={"input_text": 1000, "output_text": 100}, cost_nanousd=3_500_000, price_match="alias",
    price_version=CATALOG.version, latency_us=1_500_000,
)  # fmt: skip


def told(catalog: Catalog = CATALOG, **changed: Any) -> str:
    return "\n".join(explained(replace(CALL, **changed), catalog))


class Machine:
    """The data directory of a gateway."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.errors = ""

    def journal(self, record: Record, *, segment: str = "n-00000001-00000001.open", kind: int = FINAL) -> None:
        path = self.data_dir / "journal" / "worker-0" / segment
        path.parent.mkdir(parents=True, exist_ok=True)
        before = path.read_bytes() if path.exists() else header()
        path.write_bytes(before + encode(kind, record.request_id.encode(), encode_record(record)))

    def land(self, *records: Record) -> None:
        file = self.data_dir / "lake" / "landing" / "dt=2027-01-15" / "a.parquet"
        file.parent.mkdir(parents=True)
        file.write_bytes(encode_parquet(to_table(records), "digest"))

    def explain(self, request_id: str, lake_url: str = "") -> tuple[int, str]:
        output, errors = io.StringIO(), io.StringIO()
        settings = Settings(data_dir=str(self.data_dir), lake_url=lake_url)
        code = main([request_id], settings, output=output, errors=errors)
        self.errors = errors.getvalue()
        return code, output.getvalue()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_charge_is_told_bucket_by_bucket():
    assert told() == (
        "call       req_1  2027-01-15 08:00:00 UTC\n"
        "caller     web/ci  user=zoe\N{REPLACEMENT CHARACTER}[31m\n"
        "asked      openai chat.completions gpt-4o → gpt-4o-2024-08-06\n"
        "outcome    ok, status 200\n"
        "mode       metered\n"
        "usage      reported\n"
        f"price      alias, {CATALOG.version}\n"
        "  BUCKET                           COUNT     USD A MILLION                 USD\n"
        "  input_text                       1,000              2.50              0.0025\n"
        "  output_text                        100             10.00               0.001\n"
        "charged    0.003500000 USD"
    )


def test_a_refusal_is_told_with_what_its_code_means():
    text = told(outcome="refused", status=402, refusal_code="budget_exceeded", buckets=None, cost_nanousd=0)
    assert "outcome    refused, status 402\nbecause    budget_exceeded: A budget has too little left" in text
    assert "charged    0.000000000 USD" in text
    assert "because    odd: a reason that this version does not know" in told(refusal_code="odd")


def test_a_refusal_by_a_quota_is_told_in_the_words_of_the_quota():
    reason = "The budget 'web' (usd a month) has 0.12 USD left of 500.00 USD, and the call may cost up to 0.31 USD"
    text = told(outcome="refused", status=402, refusal_code="budget_exceeded", refusal_reason=reason, cost_nanousd=0)
    assert f"\nreason     {reason}\n" in text


def test_what_was_charged_has_its_unit_and_says_why_it_is_not_the_cost():
    counters = {"web@2027-01": 248_750, "out@2027-01|user=zoe": 100, "calls@2027-01": 1, "gone@2027-01": 5}
    units: dict[str, Unit] = {"web": "usd", "out": "tokens_out", "calls": "requests"}
    cut = replace(CALL, outcome="cancelled", provenance="estimated", counters=counters, cost_nanousd=7)
    assert "\n".join(explained(cut, CATALOG, units)).endswith(
        "charged    0.000000007 USD\n"
        "counter    web@2027-01  0.000248750 USD\n"
        "counter    out@2027-01|user=zoe  100 output tokens\n"
        "counter    calls@2027-01  1 request\n"
        "counter    gone@2027-01  5 (of a quota that is not in the policy file: nano-USD where it is one of money)\n"
        "           The provider did not report its whole usage: quotas that block are charged what it held; its"
        " cost is an estimate."
    )


def test_what_was_reported_is_charged_as_it_cost_and_what_is_open_holds():
    assert told(counters={"q@total": 1}).endswith("nano-USD where it is one of money)")
    assert "\nholds      q@total" in told(outcome="open", counters={"q@total": 1}, cost_nanousd=None)
    crashed = told(outcome="crashed", provenance="held", counters={"q@total": 1}, cost_nanousd=None)
    assert crashed.endswith("quotas that block are charged what it held.")


def test_what_is_unknown_is_not_called_nothing():
    assert told(cost_nanousd=None, price_match="unpriced").endswith("there is no price, which is not free")
    assert told(cost_nanousd=None, provenance="unknown").endswith("unknown, which is not nothing")
    assert told(cost_nanousd=None, outcome="open").endswith("not yet")


def test_other_prices_than_the_call_s_are_told():
    assert "not of the price version that the call was charged with" in told(price_version="older")
    assert "They come to 0.003500000 USD: the call had modifiers" in told(cost_nanousd=1)
    assert "modifiers" not in told()


def test_a_batch_is_told_at_the_rates_of_its_requests_length():
    batch = {
        "provider": "anthropic", "upstream": "anthropic", "model": "claude-sonnet-4-5", "service_tier": "batch",
        "tokens_in": 10**6, "tokens_out": 0, "buckets": {"input_text": 10**6},
    }  # fmt: skip
    for charged, rate in ((1_500_000_000, "1.50"), (3_000_000_000, "3.00")):
        text = told(**batch, cost_nanousd=charged)
        assert f"{rate:>18}{rate:>20}\n" in text
        assert "modifiers" not in text


def test_what_has_no_rate_here_is_counted_all_the_same():
    text = told(model="no-such-model", buckets={"input_text": 5, "of_a_later_version": 7})
    assert "  input_text                           5           no rate                   –" in text
    assert "  of_a_later_version                   7                 –                   –" in text
    assert "input_text" in told(provider="gone")


def test_negotiated_prices_are_those_of_the_policy_that_was_kept(machine: Machine):
    override = PriceOverride("openai", "*", multiplier="0.5")
    (machine.data_dir / KEPT_NAME).write_bytes(encode_policy(Policy(price_overrides=(override,))))
    catalog = catalog_of(policy_of(machine.data_dir))
    text = told(catalog, price_version=catalog.version, cost_nanousd=1_750_000)
    assert "  input_text                       1,000              1.25             0.00125\n" in text
    assert "modifiers" not in text


def test_a_damaged_policy_leaves_list_prices(machine: Machine):
    assert catalog_of(policy_of(machine.data_dir)).version == CATALOG.version
    (machine.data_dir / KEPT_NAME).write_bytes(b"\xc1")
    assert catalog_of(policy_of(machine.data_dir)).version == CATALOG.version


def test_a_call_is_found_in_any_segment_and_its_end_counts(machine: Machine):
    machine.journal(replace(CALL, outcome="open"), segment="n-00000001-00000001.seg", kind=INTENT)
    machine.journal(CALL, segment="n-00000001-00000002.open")
    machine.journal(replace(CALL, outcome="open"), segment="n-00000001-00000003.open", kind=INTENT)
    assert find("req_1", machine.data_dir) == CALL


def test_a_call_that_is_open_yet_is_its_intent(machine: Machine):
    machine.journal(replace(CALL, outcome="open", cost_nanousd=None), kind=INTENT)
    code, output = machine.explain("req_1")
    assert (code, output.endswith("charged    not yet\n")) == (0, True)


def test_a_call_that_has_landed_is_found_in_the_lake(machine: Machine):
    machine.journal(replace(CALL, request_id="req_2"))
    charged = replace(CALL, counters={"q@total": 7}, ledger_seq=3, refusal_code="kill_switch", refusal_reason="why")
    machine.land(charged, replace(CALL, request_id="req_3"))
    assert find("req_1", machine.data_dir) == charged


def test_a_call_that_is_nowhere_is_told(machine: Machine):
    code, output = machine.explain("req_9\x1b[0m")
    assert (code, output) == (1, "")
    assert machine.errors.startswith("lensai explain: no call 'req_9\N{REPLACEMENT CHARACTER}[0m' under ")
    machine.explain("req_9", "s3://bucket")
    assert "the lake s3://bucket is not looked into" in machine.errors
