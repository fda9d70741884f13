"""The control plane's promise, told once from end to end with nothing but real processes.

Sign in, set a budget, spend through the official SDK, hear of it in Slack, be refused, be let through again, be killed;
meanwhile the control plane dies and comes back, and no call fails of it. Latencies are printed, never asserted.
"""

import statistics
import threading
import time
from pathlib import Path

import openai
import pytest

from tests.e2e.control_plane.stage import Api, ControlPlane, Gateway, redis, until
from tests.support.control_plane import Postgres, postgres
from tests.support.processes import running_sandbox
from tests.support.slack_server import CHANNEL, TOKEN, SlackServer, slack_server

MODEL = "gpt-4o-mini"
# Of one call with 100 tokens in and 1,000 out at gpt-4o-mini's list price: 15,000 + 600,000 nano-USD.
CALL_USD = 0.000615
# The limit holds so many; the last is refused, for a call holds the most that it may cost.
CALLS = 20
TIMES = 20


@pytest.fixture(scope="module")
def postgres_server() -> "Postgres":
    with postgres() as server:
        yield server


def call(client: openai.OpenAI, tokens: int = 1000) -> None:
    client.chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": "hello"}],
        max_tokens=tokens,
        extra_headers={"x-sandbox-tokens": str(tokens), "x-sandbox-input-tokens": "100"},
    )


def percents(slack: SlackServer) -> list[int]:
    """The thresholds that Slack was told of."""
    return sorted(percent for message in slack.messages for percent in (90, 100) if f"{percent} %" in message["text"])


class Calls:
    """A caller who never stops; `failures` are what went wrong."""

    def __init__(self, clients: list[openai.OpenAI]) -> None:
        self.made, self.failures = 0, []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._go_on, args=(client,)) for client in clients]
        for thread in self._threads:
            thread.start()

    def _go_on(self, client: openai.OpenAI) -> None:
        while not self._stop.is_set():
            try:
                client.models.list()
                self.made += 1
            except openai.OpenAIError as error:
                self.failures.append(repr(error))
            time.sleep(0.01)

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()


def stream_until_cut(client: openai.OpenAI, live: threading.Event) -> float:
    """Reads a stream that would last for minutes; when it was cut."""
    stream = client.chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": "hello"}],
        stream=True,
        max_tokens=16_000,
        extra_headers={"x-sandbox-tokens": "16000", "x-sandbox-chunk-delay-ms": "20"},
    )

    def read() -> None:
        for _ in stream:
            live.set()

    with pytest.raises(openai.APIError) as cut:
        read()
    cut_s = time.monotonic()
    assert getattr(cut.value, "code", "") == "kill_switch", cut.value
    return cut_s


@pytest.fixture
async def database_url(postgres_server: Postgres) -> str:
    return await postgres_server.new_database()


def test_from_a_budget_to_a_kill_switch(tmp_path: Path, database_url: str, capsys: pytest.CaptureFixture[str]):
    with slack_server() as slack, redis(tmp_path) as store, running_sandbox() as sandbox:
        plane = ControlPlane(tmp_path, database_url, slack.api_url)
        plane.start()
        try:
            api = Api(plane.url, plane.sign_in_link())
            figures = tell(tmp_path, plane, api, slack, store, sandbox)
        finally:
            plane.close()
    with capsys.disabled():
        print(f"\n{figures}")


def tell(tmp_path: Path, plane: ControlPlane, api: Api, slack: SlackServer, store, sandbox: str) -> str:
    credential = api.post("credentials", name="sandbox", provider="openai", secret="sandbox-key")
    api.post("upstreams", name="openai", provider="openai", origin=sandbox, credential_id=credential["id"])
    project = api.post("projects", name="Checkout")
    secret = api.post("keys", project_id=project["id"], name="web")["secret"]
    target = {"channel": "slack", "token": TOKEN, "channel_id": CHANNEL}
    api.post("alert-rules", name="ops", trigger="threshold", thresholds=[90, 100], target=target)
    made = plane.command("control-plane", "gateway-token", "create", "e2e")
    token = next(word for word in made.replace("=", " ").split() if word.startswith("lgw_"))
    with Gateway(tmp_path / "a", plane, token, store) as first, Gateway(tmp_path / "b", plane, token, store) as second:
        until(lambda: first.is_ready() and second.is_ready(), "both gateways have a policy")
        clients = [first.openai(secret), second.openai(secret)]
        figures = publish_times(api, project["id"], [first, second], secret)
        spend_to_the_limit(api, project["id"], clients, slack)
        outlive_the_control_plane(plane, [first, second], clients)
        figures += kill_times(api, project["id"], clients)
        for gateway in (first, second):
            gateway.stop()
        canaries = (secret, "sandbox-key", TOKEN, token, api.token)
        said = plane.output() + first.output() + second.output()
    assert not [canary for canary in canaries if canary in said]
    assert "every link holds" in plane.command("audit", "verify").lower() or api.get("audit/verify")["broken"] is None
    actions = {entry["action"] for entry in api.get("audit?limit=200")["items"]}
    assert {"project:create", "key:create", "budget:create", "kill_switch:trigger"} <= actions
    api.close()
    return figures


def spend_to_the_limit(api: Api, project_id: str, clients: list[openai.OpenAI], slack: SlackServer) -> None:
    budget = api.post("budgets", project_id=project_id, limit_usd=f"{CALL_USD * CALLS:.9f}", period="month")
    until(lambda: not is_admitted(clients[0], tokens=16_000), "the budget is in force at the first gateway")
    until(lambda: not is_admitted(clients[1], tokens=16_000), "the budget is in force at the second gateway")
    for number in range(CALLS - 1):
        call(clients[number % 2])
    for client in clients:
        with pytest.raises(openai.APIStatusError) as refused:
            call(client)
        assert refused.value.status_code == 402
    until(lambda: percents(slack) == [90, 100], "Slack was told of 90 and of 100 %")
    assert slack.refusals == []
    status = api.get(f"budgets/{budget['id']}/status")
    assert status["spent"] == f"{CALL_USD * (CALLS - 1):.6f}", status
    api.post(f"budgets/{budget['id']}/override", minutes=5, reason="release day")
    for client in clients:
        until(lambda client=client: is_admitted(client), "the override is in force")
    assert percents(slack) == [90, 100]


def is_admitted(client: openai.OpenAI, tokens: int = 1000) -> bool:
    try:
        call(client, tokens)
    except openai.APIStatusError as error:
        if error.status_code != 402:
            raise
        return False
    return True


def outlive_the_control_plane(plane: ControlPlane, gateways: list[Gateway], clients: list[openai.OpenAI]) -> None:
    calls = Calls(clients)
    plane.kill()
    made = calls.made
    until(lambda: calls.made > made + 100, "calls go on without a control plane")
    plane.start()
    made = calls.made
    until(lambda: all(gateway.is_connected() for gateway in gateways), "both gateways are told of changes again")
    until(lambda: calls.made > made + 100, "calls go on with it back")
    calls.stop()
    assert calls.failures == []


def publish_times(api: Api, project_id: str, gateways: list[Gateway], secret: str) -> str:
    """From the answer to a new key's request to the first call with it, at the later of the gateways."""
    times_s: list[float] = []
    for _ in range(TIMES):
        key = api.post("keys", project_id=project_id, name="probe")["secret"]
        began_s = time.monotonic()
        for gateway in gateways:
            until(lambda gateway=gateway: knows(gateway, key), "the key works")
        times_s.append(time.monotonic() - began_s)
    return f"change -> every gateway: {spread(times_s)}\n"


def knows(gateway: Gateway, key: str) -> bool:
    return gateway.http.get("/openai/v1/models", headers={"authorization": f"Bearer {key}"}).is_success


def kill_times(api: Api, project_id: str, clients: list[openai.OpenAI]) -> str:
    times_s: list[float] = []
    for _ in range(5):
        cut_s: list[float] = []
        lives = [threading.Event() for _ in clients]

        def read(client: openai.OpenAI, live: threading.Event, cut_s: list[float] = cut_s) -> None:
            cut_s.append(stream_until_cut(client, live))

        readers = [threading.Thread(target=read, args=pair) for pair in zip(clients, lives, strict=True)]
        for reader in readers:
            reader.start()
        for live in lives:
            assert live.wait(20)
        began_s = time.monotonic()
        switch = api.post("kill-switch/trigger", project_id=project_id, reason="runaway agent")
        for reader in readers:
            reader.join(20)
        assert len(cut_s) == len(clients)
        times_s.append(max(cut_s) - began_s)
        with pytest.raises(openai.PermissionDeniedError):
            call(clients[0])
        api.post("kill-switch/release", id=switch["id"])
        for client in clients:
            until(lambda client=client: is_released(client), "calls flow again")
    return f"kill switch -> every stream cut: {spread(times_s)}\n"


def is_released(client: openai.OpenAI) -> bool:
    try:
        client.models.list()
    except openai.PermissionDeniedError:
        return False
    return True


def spread(times_s: list[float]) -> str:
    ms = sorted(1000 * time_s for time_s in times_s)
    return f"p50 {statistics.median(ms):.0f} ms, worst {ms[-1]:.0f} ms of {len(ms)}"
