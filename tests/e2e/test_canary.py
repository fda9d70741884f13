"""Keys, prompts and answers that must stay where they belong: no log, journal, Parquet, metric or error shows one.

Every credential and every text sent here is unique. All are taken down every path there is — success, refusal,
malformed, failing providers, `kill -9` — and then everything the gateway wrote or said is searched for them.
"""

import gzip
import http.client
import json
import secrets
import signal
import socket
import stat
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from tests.support.gateways import Gateway, gateway_on, sandbox_upstreams, wait_until
from tests.support.processes import free_port, running_sandbox
from tests.unit.gateway.metering.test_media import wav

# Of the files in the data directory, those that hold secrets by design.
KEEPERS = ("policy.msgpack", "lensai.toml")

REPLY_TIMEOUT_S = 10.0


class Canaries:
    """Texts found nowhere else, by what they are. `texts` also takes up what the sandbox answers."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}

    def new(self, what: str, prefix: str = "") -> str:
        self.texts[what] = prefix + secrets.token_hex(20)
        return self.texts[what]

    def heard(self, body: bytes) -> None:
        """Remembers the words of an answer, stream or not: eight in a row are no coincidence."""
        words = " ".join(_texts(body)).split()
        if len(words) >= 8:
            self.texts[f"answer {len(self.texts)}"] = " ".join(words[:8])

    def hits(self, place: str, content: str) -> list[str]:
        return [f"{what} in {place}" for what, text in self.texts.items() if text in content]


def _texts(body: bytes) -> Iterator[str]:
    """What a model wrote in an answer of any dialect."""
    for line in body.decode("utf-8", "replace").splitlines():
        try:
            yield from _strings(json.loads(line.removeprefix("data: ")))
        except ValueError:
            continue


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, each in value.items():
            if key in ("content", "text", "delta") and isinstance(each, str):
                yield each.strip()
            else:
                yield from _strings(each)
    elif isinstance(value, list):
        for each in value:
            yield from _strings(each)


class Answer(NamedTuple):
    status: int
    body: bytes


class Stage:
    """The gateway before a sandbox, two broken providers and a dead one; and what its clients were told."""

    def __init__(self, gateway: Gateway, canaries: Canaries, tokens: Mapping[str, str]) -> None:
        self.gateway = gateway
        self.canaries = canaries
        self.tokens = tokens
        self.errors: list[bytes] = []

    def post(self, path: str, body: Any, headers: Mapping[str, str], status: int = 200) -> Answer:
        """One call, which must have that status. What it says is kept if it is an error, else its words are."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        connection = http.client.HTTPConnection("127.0.0.1", self.gateway.port, timeout=REPLY_TIMEOUT_S)
        try:
            connection.request("POST", path, data, {"anthropic-version": "2023-06-01", **headers})
            response = connection.getresponse()
            try:
                answer = Answer(response.status, response.read())
            except http.client.IncompleteRead as cut:
                answer = Answer(response.status, cut.partial)
        finally:
            connection.close()
        assert answer.status == status, answer
        if status == 200:
            self.canaries.heard(answer.body)
        else:
            self.errors.append(answer.body + repr(response.getheaders()).encode())
        return answer

    def raw(self, data: bytes) -> None:
        """Bytes that are no good request, and all that is said to them."""
        with socket.create_connection(("127.0.0.1", self.gateway.port), timeout=REPLY_TIMEOUT_S) as client:
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
            said = b""
            while more := client.recv(65_536):
                said += more
        assert said.startswith(b"HTTP/1.1 4"), said
        self.errors.append(said)

    def bearer(self, name: str = "virtual key", **headers: str) -> dict[str, str]:
        return {"authorization": f"Bearer {self.tokens[name]}", **headers}

    def prompt(self, what: str) -> str:
        return self.canaries.new(f"prompt of {what}")

    def chat(self, what: str, **more: Any) -> dict[str, Any]:
        return {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": self.prompt(what)}], **more}


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    canaries = Canaries()
    with running_sandbox() as sandbox, Echo() as echo_port:
        upstreams = sandbox_upstreams(sandbox, canaries.new("provider key", "sandbox-")) + "".join(
            f'\n[upstreams.{name}]\norigin = "http://127.0.0.1:{port}"\n'
            f'[credentials.{name}]\nsecret = "{canaries.new(f"key of {name}", "sk-")}"'
            for name, port in (("echo", echo_port), ("dead", free_port()))
        )
        upstreams += (
            '\n[upstreams.regional]\nprovider = "azure"\norigin = "http://{resource}.localhost"\nresources = ["eu"]'
        )
        with gateway_on(tmp_path / "data", upstreams) as gateway:
            tokens = {
                "virtual key": gateway.add_key(),
                "transparent key": gateway.add_key("transparent"),
                "disabled key": gateway.add_key(more="disabled = true"),
                "scoped key": gateway.add_key(more='models = ["o3"]'),
            }
            canaries.texts |= tokens
            gateway.start()
            yield Stage(gateway, canaries, tokens)


class Echo:
    """A provider that answers with what it was sent, which is no HTTP answer. Entered, it gives its port."""

    def __enter__(self) -> int:
        self._listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._serve, daemon=True).start()
        return self._listener.getsockname()[1]

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with client:
                client.sendall(client.recv(65_536))


# The paths. Each takes keys and prompts of its own along.


def succeed(stage: Stage) -> None:
    """Every dialect, plain and streamed, with the key in each of its places."""
    own = stage.canaries.new("client's own key", "sandbox-")
    key, transparent = stage.tokens["virtual key"], stage.tokens["transparent key"]
    stage.post("/v1/chat/completions", stage.chat("chat"), stage.bearer())
    stage.post("/openai/v1/chat/completions", stage.chat("stream", stream=True), stage.bearer())
    stage.post(f"/k/{key}/openai/v1/chat/completions", stage.chat("path"), {"authorization": f"Bearer {own}"})
    unread = stage.chat("no usage", stream=True)
    stage.post("/openai/v1/chat/completions", unread, {"authorization": f"Bearer {transparent}"})
    responses = {"model": "gpt-5-mini", "input": stage.prompt("responses"), "stream": True}
    stage.post("/openai/v1/responses", responses, stage.bearer())
    embeddings = {"model": "text-embedding-3-small", "input": stage.prompt("embeddings"), "dimensions": 8}
    stage.post("/openai/v1/embeddings", embeddings, stage.bearer())
    azure = "/azure/openai/deployments/gpt-4o/chat/completions?api-version=2025-04-01-preview"
    stage.post(azure, stage.chat("azure"), {"api-key": key})
    said = {"model": "claude-haiku-4-5", "max_tokens": 64, "stream": True}
    messages = [{"role": "user", "content": stage.prompt("messages")}]
    stage.post("/anthropic/v1/messages", {**said, "messages": messages}, {"x-api-key": key})
    contents = {"contents": [{"parts": [{"text": stage.prompt("gemini")}]}]}
    generate = "v1beta/models/gemini-2.5-flash:generateContent"
    stage.post(f"/gemini/{generate}?key={key}", contents, {})
    stage.post(f"/k/{key}/gemini/{generate}?alt=json&key={own}", contents, {})
    stage.post(f"/gemini/{generate}", contents, {"x-goog-api-key": key})


def be_refused(stage: Stage) -> None:
    """Every reason for which a whole request is not forwarded."""
    new, chat, path = stage.canaries.new, stage.chat, "/openai/v1/chat/completions"
    key = stage.tokens["virtual key"]
    stage.post(path, chat("stranger"), {"authorization": f"Bearer {new('unknown key', 'lk-')}"}, 401)
    stage.post(path, chat("no LensAI key"), {"authorization": f"Bearer {new('stray provider key', 'sk-')}"}, 401)
    stage.post(path, chat("basic"), {"authorization": f"Basic {new('basic')}"}, 401)
    stage.post(f"/k/{new('unknown path token', 'lk-')}{path}", chat("path"), {}, 401)
    stage.post(f"/gemini/v1beta/models?key={new('unknown query key')}", {}, {}, 401)
    stage.post(path, chat("disabled"), stage.bearer("disabled key"), 401)
    stage.post(path, chat("two"), stage.bearer(**{"x-api-key": new("second key", "sk-")}), 400)
    stage.post(path, chat("scope"), stage.bearer("scoped key"), 403)
    stage.post("/openai/v1/videos", {"prompt": stage.prompt("videos")}, stage.bearer(), 403)
    stage.post(f"/k/{key}/nowhere/v1/x?key={new('key for nowhere')}", chat("nowhere"), {}, 404)
    stage.post(f"/openai/k/{key}/v1/chat/completions", chat("misplaced"), stage.bearer(), 403)
    stage.post(f"/regional/{key}/openai/v1/responses", chat("misplaced"), stage.bearer(), 403)
    stage.post(path, chat("header"), stage.bearer(**{"x-lensai-metadata": new("bad metadata")}), 400)
    stage.post(path, chat("user"), stage.bearer(**{"x-lensai-user": new("long user") * 9}), 400)


def be_malformed(stage: Stage) -> None:
    """Bodies and heads that are broken where a secret stands."""
    path, head = "/openai/v1/chat/completions", b"POST /openai/v1/chat/completions HTTP/1.1\r\nhost: x\r\n"
    key = stage.tokens["virtual key"].encode()
    for what, body in (
        ("broken JSON", '{"model":"gpt-4o","messages":[{"content":"%s'),
        ("no object", '["%s"]'),
        ("wrong type", '{"model":{"%s":1}}'),
        ("bad stream", '{"model":"gpt-4o","stream":"%s"}'),
    ):
        stage.post(path, (body % stage.prompt(what)).encode(), stage.bearer(), 400)
    packed = gzip.compress(stage.prompt("cut gzip").encode())[:-12] + b"garbage"
    stage.post(path, packed, stage.bearer(**{"content-encoding": "gzip"}), 400)
    stage.post(path, stage.chat("zip"), stage.bearer(**{"content-encoding": "compress"}), 415)
    stage.raw(b"GET /k/%b HTTP/9.9\r\n\r\n" % key)
    stage.raw(b"%b\r\n\r\n" % stage.canaries.new("key as a method", "lk-").encode())
    stage.raw(head + b"authorization Bearer %b\r\n\r\n" % key)
    stage.raw(head + b"authorization: Bearer %b\x00\r\n\r\n" % key)
    stage.raw(head + b"content-length: %b\r\n\r\n" % stage.prompt("a length").encode())
    stage.raw(head + b"authorization: Bearer %b\r\ntransfer-encoding: chunked\r\n\r\n%b\r\n" % (key, key))
    stage.raw(head + b"x-secret: %b\r\n\r\n" % (stage.canaries.new("large header").encode() * 2_000))


def meet_broken_providers(stage: Stage) -> None:
    """Providers that refuse, break off, echo, or are not there."""
    path = "/openai/v1/chat/completions"
    for status in (400, 429, 500):
        headers = stage.bearer(**{"x-sandbox-fail-status": str(status)})
        stage.post(path, stage.chat(f"a {status}"), headers, status)
    for trouble in ("cut", "error"):
        headers = stage.bearer(**{f"x-sandbox-{trouble}-after-chunks": "3"})
        stage.post(path, stage.chat(trouble, stream=True), headers)
    stage.post("/echo/v1/chat/completions", stage.chat("echo"), stage.bearer(), 502)
    stage.post("/dead/v1/chat/completions", stage.chat("dead"), stage.bearer(), 502)
    stage.post("/openai/v1/chat/completions", stage.chat("dropped"), stage.bearer(**{"x-sandbox-drop": "always"}), 502)


def misconfigure(stage: Stage) -> None:
    """A policy that is refused, with secrets on the lines that are wrong."""
    config, good = stage.gateway.config, stage.gateway.config.read_text()
    for count, line in enumerate(
        (
            f'[credentials.bad]\nsecrets = "{stage.canaries.new("misspelt secret")}"',
            f'[credentials.bad]\nsecret = "{stage.canaries.new("unclosed secret")}',
            f'[credentials.bad]\nsecret = ["{stage.canaries.new("listed secret")}"]',
            f'[[keys]]\nid = "bad"\nproject_id = "shop"\nsha256 = "{stage.canaries.new("key for its hash", "lk-")}"',
        ),
        start=1,
    ):
        config.write_text(f"{good}\n{line}\n")
        stage.gateway.signal(signal.SIGHUP)
        wait_until(lambda n=count: stage.gateway.output().count("policy_refused") >= n, stage.gateway.output)
    config.write_text(good)


def die(stage: Stage) -> None:
    """`kill -9` with a stream under way, and another life on the same directory."""
    headers = stage.bearer(**{"x-sandbox-chunk-delay-ms": "3600000"})
    connection = http.client.HTTPConnection("127.0.0.1", stage.gateway.port, timeout=REPLY_TIMEOUT_S)
    connection.request("POST", "/v1/chat/completions", json.dumps(stage.chat("crash", stream=True)), headers)
    assert connection.getresponse().read(1)
    stage.gateway.kill()
    connection.close()
    stage.gateway.start()
    stage.post("/v1/chat/completions", stage.chat("after"), stage.bearer(**{"x-lensai-metadata": '{"at":"control-9"}'}))


def use_forms_and_sockets(stage: Stage) -> None:
    """A prompt in a form, and a key in the name of a protocol."""
    fields = {"model": "gpt-4o-transcribe", "prompt": stage.prompt("form")}
    form = b"".join(
        b'--b\r\ncontent-disposition: form-data; name="%b"\r\n\r\n%b\r\n' % (name.encode(), text.encode())
        for name, text in fields.items()
    )
    form += b'--b\r\ncontent-disposition: form-data; name="file"; filename="a.wav"\r\n\r\n%b\r\n--b--\r\n' % wav(
        b"\0" * 96
    )
    headers = stage.bearer(**{"content-type": "multipart/form-data; boundary=b"})
    stage.post("/openai/v1/audio/transcriptions", form, headers)
    stage.post("/openai/v1/audio/transcriptions", form + b"more", headers, 400)
    url = f"ws://127.0.0.1:{stage.gateway.port}/openai/v1/realtime?model=gpt-realtime"
    key = Subprotocol(f"openai-insecure-api-key.{stage.tokens['virtual key']}")
    with connect(url, subprotocols=[Subprotocol("realtime"), key]) as session:
        content = [{"type": "input_text", "text": stage.prompt("session")}]
        item = {"type": "message", "role": "user", "content": content}
        session.send(json.dumps({"type": "conversation.item.create", "item": item}))
        session.send(json.dumps({"type": "response.create"}))
        while json.loads(session.recv())["type"] != "response.done":
            pass
    with pytest.raises(InvalidStatus):
        connect(url, subprotocols=[Subprotocol(f"openai-insecure-api-key.{stage.canaries.new('stray')}")])


PATHS: tuple[Callable[[Stage], None], ...] = (
    succeed, use_forms_and_sockets, be_refused, be_malformed, meet_broken_providers, misconfigure, die,
)  # fmt: skip


def told_outside(stage: Stage) -> Iterator[tuple[str, str]]:
    """What a running gateway says to whoever asks."""
    for path in ("metrics", "readyz", "healthz"):
        yield f"/{path}", stage.gateway.ask_admin(path).decode()
    for error in stage.errors:
        yield "an error", error.decode("latin-1")


def kept(stage: Stage) -> Iterator[tuple[str, str]]:
    """What is in the files of a stopped gateway, and in its log."""
    for path in stage.gateway.data_dir.rglob("*"):
        if path.is_file() and path.name not in KEEPERS:
            yield path.name, path.read_bytes().decode("latin-1")
    yield "the log", stage.gateway.output()


def landed(stage: Stage) -> Iterator[tuple[str, str]]:
    """What is in Parquet, every column of it."""
    stage.gateway.start_lake()
    wait_until(lambda: not stage.gateway.segments(), lambda: "segments are left")
    for row in stage.gateway.rows():
        yield "Parquet", repr(row.columns)


def test_no_key_prompt_or_answer_is_found_where_it_does_not_belong(stage: Stage):
    for path in PATHS:
        path(stage)
    places = list(told_outside(stage))
    stage.gateway.stop()
    places += kept(stage)
    records = len(stage.gateway.journaled())
    places += landed(stage)

    assert [hit for place, content in places for hit in stage.canaries.hits(place, content)] == []
    # What is searched is what was meant: what is stored on purpose is found, and everything was recorded.
    controls = {place for place, content in places if "control-9" in content}
    assert {"Parquet", *(place for place in controls if place.endswith(".seg"))} == controls
    assert len(controls) > 1
    assert sum(place == "Parquet" for place, _ in places) == records > 30
    assert any(what.startswith("answer") for what in stage.canaries.texts)


def test_files_that_hold_secrets_are_their_owners_alone_and_hold_no_key_of_a_caller(stage: Stage):
    stage.gateway.stop()

    for path in (stage.gateway.data_dir / name for name in KEEPERS):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        content = path.read_bytes().decode("latin-1")
        assert stage.canaries.texts["provider key"] in content
        assert [name for name, token in stage.tokens.items() if token in content] == []
    assert stat.S_IMODE(stage.gateway.data_dir.stat().st_mode) & 0o077 == 0
