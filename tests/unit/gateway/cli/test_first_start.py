import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from gateway.cli.first_start import CONFIG, ensure_first_key, render_welcome
from gateway.policy_toml import compile_policy
from gateway.providers import PROVIDERS, find_endpoint

TOKEN = "lk-token"
KEYS = {"OPENAI_API_KEY": "o", "ANTHROPIC_API_KEY": "a", "GEMINI_API_KEY": "g"}


def digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def test_the_first_start_makes_a_file_for_its_owner_alone_with_one_key(tmp_path: Path):
    config = tmp_path / "data" / "lensai.toml"
    token = ensure_first_key(config)
    assert token is not None
    text = config.read_text()
    assert token not in text
    policy = compile_policy(text, {}, source="lensai.toml")
    (key,) = policy.keys
    assert (key.sha256, key.project_id, key.prefix) == (digest(token), "default", token[:8])
    assert (config.stat().st_mode & 0o777, config.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_later_starts_change_nothing(tmp_path: Path):
    config = tmp_path / "lensai.toml"
    ensure_first_key(config)
    text = config.read_text()
    assert ensure_first_key(config) is None
    assert config.read_text() == text


@pytest.mark.parametrize(
    ("text", "project"),
    [
        ("", "default"),
        ("\n\n", "default"),
        ("[settings]\nworkers = 2", "default"),
        ("[projects.web]\n# a comment\n", "web"),
    ],
)
def test_a_file_without_keys_gets_one_and_keeps_what_it_says(tmp_path: Path, text: str, project: str):
    config = tmp_path / "lensai.toml"
    config.write_text(text)
    token = ensure_first_key(config)
    assert token is not None
    assert text.strip() in config.read_text()
    (key,) = compile_policy(config.read_text(), {}, source="x").keys
    assert (key.sha256, key.project_id) == (digest(token), project)


def test_every_example_of_the_file_works_when_it_is_uncommented(tmp_path: Path):
    (tmp_path / "vllm-eu.key").write_text("secret")
    text = re.sub(r"^#(?=\S)", "", CONFIG, flags=re.MULTILINE)
    environ = {"MY_OPENAI_KEY": "sk", "AZURE_OPENAI_API_KEY": "az"}
    policy = compile_policy(text, environ, source="x", directory=tmp_path)
    assert {row.id for row in policy.credentials} == {"openai", "vllm-eu", "azure"}
    assert len(policy.price_overrides) == 2


def test_every_table_of_the_file_is_explained():
    for table in ("settings", "projects", "credentials", "upstreams", "price_overrides"):
        assert re.search(rf"^# .*\n(#\[|\[)+{table}", CONFIG, re.MULTILINE), table
    assert "`lensai keys create`" in CONFIG


def test_a_key_made_before_is_not_known_and_not_made_up():
    welcome = render_welcome("http://127.0.0.1:8080", None)
    assert "http://127.0.0.1:8080/k/YOUR-LENSAI-KEY/openai/v1" in welcome
    assert "lensai keys create" in welcome
    assert "lk-" not in welcome


class Recorder:
    """Stands where the gateway would: notes what each SDK asks for and answers enough to end its call."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []  # path, credential
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["content-length"] or 0))
                credentials = (self.headers[name] or "" for name in ("authorization", "x-api-key", "x-goog-api-key"))
                recorder.calls.append((self.path, "".join(credentials)))
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, format: str, *arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    recorder = Recorder()
    thread = threading.Thread(target=recorder.server.serve_forever, args=(0.01,))
    thread.start()
    yield recorder
    recorder.server.shutdown()
    thread.join()
    recorder.server.server_close()


def section(welcome: str, title: str) -> list[str]:
    """The lines under `# title`."""
    return welcome.split(f"# {title}")[1].split("\n\n")[0].splitlines()[1:]


SCRIPT = """
import json, os, sys
from anthropic import Anthropic
from google import genai
from openai import OpenAI

def call(client):
    messages = [{"role": "user", "content": "hi"}]
    try:
        if isinstance(client, OpenAI):
            client.chat.completions.create(model="m", messages=messages)
        elif isinstance(client, Anthropic):
            client.messages.create(model="m", max_tokens=1, messages=messages)
        else:
            client.models.generate_content(model="m", contents="hi")
    except AttributeError:
        pass  # what an SDK makes of an empty answer does not matter here

lines, exported = json.loads(sys.argv[1])
for line in lines:
    call(eval(line))
os.environ.update(exported)
for client in OpenAI, Anthropic, genai.Client:
    call(client())
"""


def test_the_python_lines_and_the_environment_reach_the_endpoints_with_the_providers_own_keys(recorder: Recorder):
    welcome = render_welcome(recorder.url, TOKEN)
    exported = dict(re.findall(r'export (\w+)="(.*)"', "\n".join(section(welcome, "any SDK"))))
    command = [sys.executable, "-c", SCRIPT, json.dumps([section(welcome, "Python"), exported])]
    subprocess.run(command, env={"PATH": os.environ["PATH"]} | KEYS, check=True, timeout=120)
    expected = [
        ("openai", "chat.completions", "o"),
        ("anthropic", "messages", "a"),
        ("gemini", "generate_content", "g"),
    ]
    assert [reached(call) for call in recorder.calls] == expected * 2


def reached(call: tuple[str, str]) -> tuple[str, str, str]:
    """The upstream's name, the endpoint and the provider's key of a call by path token."""
    path, credential = call
    upstream, slash, rest = path.removeprefix(f"/k/{TOKEN}/").partition("/")
    found = find_endpoint(PROVIDERS[upstream], "POST", slash + rest)
    assert found is not None, path
    return upstream, found[0].name, credential.removeprefix("Bearer ")


@pytest.mark.skipif(not shutil.which("curl"), reason="not run: curl is missing; apt-get install curl")
def test_the_curl_line_is_one_command_that_works_as_it_stands(recorder: Recorder):
    command = "\n".join(section(render_welcome(recorder.url, TOKEN), "curl"))
    environ = {"PATH": os.environ["PATH"]} | KEYS
    answer = subprocess.run(["sh", "-c", f"{command} --silent --fail"], env=environ, capture_output=True)
    assert (answer.returncode, answer.stdout) == (0, b"{}")
    assert [reached(call) for call in recorder.calls] == [("openai", "chat.completions", "o")]
