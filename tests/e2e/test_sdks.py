"""Unmodified SDKs, changed in nothing but their base URL: the same story as without the gateway, one exact row a call.

Every call is made straight to the sandbox, and through the gateway in two ways: with the LensAI key in the
path, where the provider's key passes through, and with it in the provider's slot, where the gateway injects one.
"""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from tests.support.gateways import PROVIDER_KEY, Gateway, Row, gateway_on, sandbox_upstreams
from tests.support.node_calls import INSTALL_COMMAND, installed, node_transcripts
from tests.support.processes import running_sandbox
from tests.support.sdk_calls import CALLS

ROUTES = ("path token", "virtual key")

# A call is in Parquet 2 s after its end (docs/internals/journal.md); a busy machine may need ten times that.
LANDING_MAX_S = 20
# A busy machine may stop the gateway between its last write and its look at the clock.
SLACK_MS = 2_000

# Its answers name no usage, as the real one's do not: nothing reported can equal the bill.
MODELS_WITHOUT_USAGE = ("gemini-embedding-001",)

no_node = pytest.mark.skipif(
    not (shutil.which("node") and installed()), reason=f"needs Node 20 or newer and its SDKs: {INSTALL_COMMAND}"
)


class Made(NamedTuple):
    """One call or script as it was made: what it gave, what the sandbox billed for it, and when it was."""

    told: Any
    bill: list[dict[str, Any]]
    began_ns: int
    ended_ns: int

    def rows(self, rows: list[Row]) -> list[Row]:
        """Its rows among all; nothing else was going on at the time."""
        # Rows keep microseconds.
        return [row for row in rows if self.began_ns - 1_000 <= row.ts_ns <= self.ended_ns]


class Stage:
    """A sandbox, a gateway before it and a lake behind."""

    def __init__(self, sandbox: str, gateway: Gateway, token: str) -> None:
        self.sandbox = sandbox
        self.gateway = gateway
        self._token = token
        self._made: dict[tuple[str, str], Made] = {}

    def place(self, route: str, dialect: str) -> tuple[str, str]:
        """The base URL in place of the provider's origin, and the SDK's key."""
        if route == "direct":
            return self.sandbox, PROVIDER_KEY
        if route == "path token":
            return f"{self.gateway.url}/k/{self._token}/{dialect}", PROVIDER_KEY
        return f"{self.gateway.url}/{dialect}", self._token

    def call(self, name: str, route: str) -> Made:
        """The call of that name, made once in each way."""
        if (name, route) not in self._made:
            httpx.post(self.sandbox + "/_sandbox/reset")
            began_ns = time.time_ns()
            told = self._node(route) if name == "node" else CALLS[name].run(*self.place(route, CALLS[name].dialect))
            ended_ns = time.time_ns()
            bill = httpx.get(self.sandbox + "/_sandbox/bill").json()["lines"]
            self._made[name, route] = Made(told, bill, began_ns, ended_ns)
        return self._made[name, route]

    def made(self) -> list[Made]:
        """What was made through the gateway so far."""
        return [made for (_, route), made in self._made.items() if route != "direct"]

    def landed(self) -> list[Row]:
        """The rows of all that was made so far: one for each call, of which the Node script makes many."""
        through = ((name, made) for (name, route), made in self._made.items() if route != "direct")
        return self.gateway.rows_of(sum(len(made.told) if name == "node" else 1 for name, made in through))

    def _node(self, route: str) -> Any:
        (openai_url, key), (anthropic_url, _) = self.place(route, "openai"), self.place(route, "anthropic")
        return node_transcripts(openai_url, anthropic_url, key)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    data_dir: Path = tmp_path_factory.mktemp("sdks") / "data"
    with running_sandbox() as sandbox, gateway_on(data_dir, sandbox_upstreams(sandbox)) as gateway:
        token = gateway.add_key()
        gateway.start_lake()
        gateway.start()
        yield Stage(sandbox, gateway, token)


@pytest.fixture(scope="module")
def rows(stage: Stage) -> list[Row]:
    """What landed of every call; all are made when the first test asks."""
    for route in ROUTES:
        for name in CALLS:
            stage.call(name, route)
    return stage.landed()


def assert_as_billed(row: Row, line: dict[str, Any]) -> None:
    tokens = line["tokens"]
    assert (row["outcome"], row["status"]) == ("ok", 200)
    # Gemini names its answers in the body alone.
    assert row["upstream_request_id"] == (line["id"] if line["dialect"] != "gemini" else "")
    if line["endpoint"] == "moderations":
        assert_free(row)
        return
    assert (row["model"], row["stream"]) == (line["model"], line["stream"])
    if line["model"] in MODELS_WITHOUT_USAGE:
        assert row["provenance"] == "estimated"
        assert row["tokens_in"] > 0
        assert row.cost_nanousd > 0
        return
    assert row["provenance"] == "reported"
    tokens_in = tokens["input"] + tokens["cache_read"] + tokens["cache_write"] + tokens["cache_write_1h"]
    assert (row["tokens_in"], row["tokens_out"]) == (tokens_in, tokens["output"] + tokens["reasoning"])
    assert row.cost_nanousd == line["amount_nanousd"]


def assert_free(row: Row) -> None:
    assert (row["outcome"], row["status"], row["provenance"]) == ("ok", 200, "none")
    assert (row.cost_nanousd, row["tokens_in"], row["tokens_out"]) == (0, None, None)


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("name", CALLS)
def test_a_python_sdk_is_given_the_same_objects_and_chunks(stage: Stage, name: str, route: str):
    assert stage.call(name, route).told == stage.call(name, "direct").told


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("name", CALLS)
def test_a_call_is_one_row_with_the_tokens_and_the_cost_of_the_bill(
    stage: Stage, rows: list[Row], name: str, route: str
):
    made = stage.call(name, route)

    (row,) = made.rows(rows)
    assert (row["project_id"], row["upstream"]) == ("shop", CALLS[name].dialect)
    if made.bill:
        (line,) = made.bill
        assert_as_billed(row, line)
    else:
        assert_free(row)


def test_the_latency_is_what_the_caller_waited_and_not_what_an_estimate_took(stage: Stage, rows: list[Row]):
    for made in stage.made():
        waited_ms = (made.ended_ns - made.began_ns) / 1e6
        assert sum(row["latency_ms"] for row in made.rows(rows)) < waited_ms + SLACK_MS


def test_a_call_is_soon_in_parquet(rows: list[Row]):
    """Two seconds at most on a machine that does nothing else; the bound here only catches a timer gone wrong."""
    landed_after_s = {
        row["request_id"]: (row.landed_ns - row.ts_ns) / 1e9 - row["latency_ms"] / 1e3
        for row in rows
        # The first estimate of a process loads a tokenizer, which takes seconds on a busy machine.
        if row["provenance"] != "estimated"
    }
    assert {call: after_s for call, after_s in landed_after_s.items() if after_s > LANDING_MAX_S} == {}


@no_node
@pytest.mark.parametrize("route", ROUTES)
def test_the_node_sdks_are_given_the_same_objects_and_chunks(stage: Stage, route: str):
    assert stage.call("node", route).told == stage.call("node", "direct").told


@no_node
@pytest.mark.parametrize("route", ROUTES)
def test_a_call_of_a_node_sdk_is_one_row_as_billed(stage: Stage, route: str):
    made = stage.call("node", route)
    of_script = made.rows(stage.landed())

    metered = [row for row in of_script if row["provenance"] != "none"]
    assert len(of_script) == len(made.told)
    assert len(metered) == len(made.bill)
    for row, line in zip(metered, made.bill, strict=True):
        assert_as_billed(row, line)
    for row in of_script:
        if row not in metered:
            assert_free(row)


def test_nothing_is_recorded_that_was_not_called(stage: Stage):
    landed = stage.landed()
    calls = [row["request_id"] for made in stage.made() for row in made.rows(landed)]
    recorded = [row["request_id"] for row in landed]
    assert sorted(recorded) == sorted(calls)
    assert len(set(recorded)) == len(recorded)
