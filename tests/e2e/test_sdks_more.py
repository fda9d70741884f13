"""All other calls of every provider's official SDK: the same story as without the gateway, and the bill's very sums.

What `test_sdks` shows of single calls holds here of files, jobs, sockets, the clouds and the other providers. A call
here may be many requests, and work that ends later: what its rows add up to is what the sandbox billed for it.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pytest

from tests.support.gateways import Row, gateway_on, sandbox_upstreams
from tests.support.processes import running_sandbox
from tests.support.sdk_calls import SdkCall
from tests.support.sdk_calls_clouds import CLOUD_CALLS
from tests.support.sdk_calls_openai_realtime import MORE_CALLS
from tests.support.sdk_calls_others import OTHER_CALLS
from tests.support.sdk_stage import DIRECT, PATH_TOKEN, VIRTUAL_KEY, SdkStage, Way

CALLS: dict[str, SdkCall] = {**MORE_CALLS, **CLOUD_CALLS, **OTHER_CALLS}


def _routes(name: str) -> tuple[str, ...]:
    """A client that signs with AWS keys of its own has no place for a LensAI key but the path."""
    return (PATH_TOKEN,) if name.endswith(".signed") else (PATH_TOKEN, VIRTUAL_KEY)


CALLED = [(name, route) for name in CALLS for route in _routes(name)]

TOKENS_IN = (
    "input", "cache_read", "cache_write", "cache_write_1h",
    "input_audio", "input_image", "cache_read_audio", "cache_read_image",
)  # fmt: skip
TOKENS_OUT = ("output", "reasoning", "output_audio", "output_image", "citation")


class Differs(NamedTuple):
    """In what a call's rows differ from its bill, and why they must."""

    how: Literal["unpriced", "estimated", "unknown", "uncounted"]
    reason: str


_HOSTED = Differs("unpriced", "one's own server has no list price")
_PIECES = Differs("unpriced", "the catalog has no price for a picture, only for tokens")
_UNLISTED = Differs("unpriced", "the catalog does not list the model; nor does the sandbox price it")
_SECONDS = Differs("uncounted", "it is billed by the second, and its answer's tokens are not")
_CANCELLED = Differs("unknown", "what was cancelled says nothing of what it used")
# Every difference there is. Servers of one's own differ alike in all that a model does there.
DIFFERENCES: dict[str, Differs] = {
    **{name: _HOSTED for name, call in CALLS.items() if call.dialect in ("ollama", "vllm", "llama.cpp")},
    "ollama.embeddings": Differs("estimated", "the answer states no usage"),
    "openai.images.dall_e": _PIECES,
    "openai.images.variation": _PIECES,
    "together.images": _PIECES,
    "openai.fine_tuning": Differs("unpriced", "the catalog has no price for training"),
    "azure.batches": Differs("unpriced", "the catalog has no prices for Azure's batches"),
    "cohere.rerank": _UNLISTED,
    "cohere.v1.rerank": _UNLISTED,
    "together.rerank": _UNLISTED,
    "together.embeddings": _UNLISTED,
    "openai.speech.stream": Differs("estimated", "sound without events states no usage"),
    "openai.transcriptions.formats": Differs("estimated", "text and subtitles state no usage"),
    "openai.translations": Differs("estimated", "translations state no usage, and the length is billed rounded"),
    "mistral.transcription": _SECONDS,
    "mistral.transcription.stream": _SECONDS,
    "openai.responses.background.cancel": _CANCELLED,
}
# Calls that leave a stream before its end: whether the gateway had sent all of it by then is up to the machine.
LEFT_EARLY = ("openai.responses.background.stream",)

# What an estimate may be off by: short texts, and seconds that are billed rounded up.
ESTIMATE_OFF_MAX = 0.25

# Their answers have no header that names them.
NAMELESS = ("gemini", "vertex", "ollama", "vllm", "llama.cpp")


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SdkStage]:
    folder: Path = tmp_path_factory.mktemp("sdks")
    with (
        running_sandbox() as sandbox,
        gateway_on(folder / "path", sandbox_upstreams(sandbox)) as by_path,
        gateway_on(folder / "key", sandbox_upstreams(sandbox)) as by_key,
    ):
        ways = {
            route: Way(gateway, gateway.add_key()) for route, gateway in ((PATH_TOKEN, by_path), (VIRTUAL_KEY, by_key))
        }
        for way in ways.values():
            way.gateway.start_lake()
            way.gateway.start()
        yield SdkStage(sandbox, ways, CALLS)


@pytest.fixture(scope="module")
def landed(stage: SdkStage) -> SdkStage:
    """With the rows of every call; all are made when the first test asks."""
    for name, route in CALLED:
        stage.call(name, route)
    stage.end(PATH_TOKEN)
    stage.end(VIRTUAL_KEY)
    return stage


def _how(name: str) -> str:
    return DIFFERENCES[name].how if name in DIFFERENCES else ""


def _billed(bill: list[dict[str, Any]], buckets: Iterable[str]) -> int:
    shares = [share["tokens"] for line in bill for share in (line, *line["others"])]
    return sum(tokens[bucket] for tokens in shares for bucket in buckets)


def _sum(rows: list[Row], column: str) -> int:
    return sum(row[column] or 0 for row in rows)


@pytest.mark.parametrize(("name", "route"), CALLED)
def test_an_sdk_is_given_the_same_objects_and_chunks(stage: SdkStage, name: str, route: str):
    assert stage.call(name, route).told == stage.call(name, DIRECT).told


@pytest.mark.parametrize(("name", "route"), CALLED)
def test_the_costs_of_a_call_s_rows_add_up_to_its_bill(landed: SdkStage, name: str, route: str):
    rows = landed.rows(name, route)
    cost = sum(row.cost_nanousd or 0 for row in rows)
    billed = sum(line["amount_nanousd"] for line in landed.call(name, route).bill)
    if _how(name) == "unpriced":
        assert cost == 0
        assert all(row["price_match"] == "unpriced" for row in rows if row["provenance"] == "reported")
    elif _how(name) == "estimated":
        assert cost == pytest.approx(billed, rel=ESTIMATE_OFF_MAX)
    else:
        assert cost == billed


@pytest.mark.parametrize(("name", "route"), CALLED)
def test_the_tokens_of_a_call_s_rows_add_up_to_its_bill(landed: SdkStage, name: str, route: str):
    rows, bill = landed.rows(name, route), landed.call(name, route).bill
    counted = (_sum(rows, "tokens_in"), _sum(rows, "tokens_out"))
    billed = (_billed(bill, TOKENS_IN), _billed(bill, TOKENS_OUT))
    if _how(name) == "estimated":
        assert counted == pytest.approx(billed, rel=ESTIMATE_OFF_MAX)
    elif _how(name) == "uncounted":
        assert counted == (0, 0)
        assert _sum(rows, "input_audio_ms") == _billed(bill, ["input_audio_ms"])
    else:
        assert counted == billed


@pytest.mark.parametrize(("name", "route"), CALLED)
def test_a_row_that_is_not_reported_or_has_no_cost_is_of_a_named_difference(landed: SdkStage, name: str, route: str):
    rows = landed.rows(name, route)
    assert rows
    assert {(row["project_id"], row["upstream"]) for row in rows} == {("shop", CALLS[name].dialect)}
    outcomes = {row["outcome"] for row in rows}
    assert outcomes == {"ok"} or (name in LEFT_EARLY and outcomes == {"ok", "client_gone"})
    named = {_how(name)} & {"estimated", "unknown"}
    assert {row["provenance"] for row in rows} <= {"reported", "none", "deferred"} | named
    assert named <= {row["provenance"] for row in rows}
    priced = [row for row in rows if row["provenance"] in ("reported", "none", "estimated")]
    costless = [row for row in priced if row.cost_nanousd is None]
    assert costless == [] or CALLS[name].dialect == "ollama" or _how(name) == "unpriced"


@pytest.mark.parametrize(("name", "route"), CALLED)
def test_work_that_was_put_off_is_charged_by_a_later_row_of_the_same_work(landed: SdkStage, name: str, route: str):
    rows = landed.rows(name, route)
    told = [row["work_id"] for row in rows if row["provenance"] not in ("deferred", "none") and row["work_id"]]
    assert {row["work_id"] for row in rows if row["provenance"] == "deferred"} <= set(told)
    assert len(set(told)) == len(told)


@pytest.mark.parametrize(("name", "route"), CALLED)
def test_a_row_has_the_id_by_which_the_provider_knows_the_call(landed: SdkStage, name: str, route: str):
    rows, bill = landed.rows(name, route), landed.call(name, route).bill
    if len(rows) == len(bill) == 1:
        assert rows[0]["upstream_request_id"] == ("" if CALLS[name].dialect in NAMELESS else bill[0]["id"])


@pytest.mark.parametrize("route", [PATH_TOKEN, VIRTUAL_KEY])
def test_nothing_is_recorded_that_was_not_called(landed: SdkStage, route: str):
    called = [row["request_id"] for name, way in CALLED if way == route for row in landed.rows(name, route)]
    assert sorted(row["request_id"] for row in landed.rows_of(route)) == sorted(called)
    assert len(set(called)) == len(called)
