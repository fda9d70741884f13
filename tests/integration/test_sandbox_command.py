"""`lensai sandbox` as a person starts it: what it prints, what its options do, how it ends."""

import sys

import httpx
import pytest

from tests.support.processes import NotReady, accepts, free_port, running, running_sandbox

COMMAND = (sys.executable, "-m", "gateway.sandbox")
CHAT = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hello"}]}


def ask(url: str, key: str = "sandbox-key") -> httpx.Response:
    return httpx.post(url + "/v1/chat/completions", json=CHAT, headers={"authorization": f"Bearer {key}"})


def test_it_says_what_it_serves_and_ends_on_sigterm():
    port = free_port()
    with running((*COMMAND, "--port", str(port))) as child:
        child.wait_for_port(port)

        said = child.output()
        assert said.startswith(f"lensai sandbox listening on http://127.0.0.1:{port}\n")
        assert f"base_url=http://127.0.0.1:{port}/v1" in said
        assert f"http://127.0.0.1:{port}/_sandbox/bill" in said
        assert child.stop() == 0
    assert not accepts(port)


def test_options_are_defaults_for_every_request():
    with running_sandbox("--tokens", "3", "--frozen", "--accept-key", "acme-") as url:
        said = ask(url, "acme-1").json()

        assert (said["usage"]["completion_tokens"], said["created"]) == (3, 1_760_000_000)
        assert ask(url, "acme-1").json() == said
        assert ask(url, "sandbox-key").status_code == 401


@pytest.mark.parametrize("options", [("--tokens", "many"), ("--encoding", "zstd"), ("--colour", "red")])
def test_an_option_that_cannot_be_is_a_usage_error(options: tuple[str, str]):
    with running((*COMMAND, *options)) as child:
        assert child.wait() == 2
        assert "usage: lensai sandbox" in child.output()


def test_a_port_in_use_is_said_in_one_line():
    with running_sandbox() as url:
        port = url.rsplit(":", 1)[1]
        with running((*COMMAND, "--port", port)) as second:
            assert second.wait() == 1
            (line,) = second.output().splitlines()
            assert line.startswith(f"lensai sandbox: cannot listen on 127.0.0.1:{port}: ")


def test_waiting_for_a_child_that_died_fails_with_what_it_said():
    with running((*COMMAND, "--tokens", "many")) as child, pytest.raises(NotReady, match="usage: lensai sandbox"):
        child.wait_for_output("listening on ")
