"""What went wrong in other gateways, each sent to this one. A test is named after the advisory or issue it is about.

Bare numbers are issues and pull requests of BerriAI/litellm. What concerns budgets or the control plane is tested
with them; what several tests prove together is said in docs/internals/security-cases.md.
"""

import ast
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.endpoints import WEBSOCKET
from gateway.policy_toml import PolicyError, compile_policy
from gateway.providers import PROVIDERS, rows_of
from tests.support.data_plane import (
    SECRET,
    TOKEN,
    Gateway,
    Message,
    Provider,
    answer,
    call,
    chunk,
    policy,
    provider,
    serving,
    stream_head,
    upstreams_at,
)

CHAT = "/v1/chat/completions"
BODY = b'{"model":"gpt-4o","messages":[]}'
USAGE = b'"usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11}'
WHOLE = b'{"model":"gpt-4o-2024-08-06",' + USAGE + b"}"
SOURCES = sorted((Path(__file__).parents[2] / "gateway").rglob("*.py"))

SQL = (
    "' OR '1'='1", "lk-' UNION SELECT token FROM keys --", "x'; DROP TABLE claims; --", '" OR ""="', "%27%20OR%201=1",
    "1;SELECT pg_sleep(10)", "lk-test' --", "\\' OR 1=1 #",
)  # fmt: skip
SLOTS = (b"authorization: Bearer %b", b"x-api-key: %b", b"api-key: %b", b"x-goog-api-key: %b")


class Stage:
    """A gateway before a provider that notes what reaches it."""

    def __init__(self, gateway: Gateway, there: Provider) -> None:
        self.gateway = gateway
        self.there = there

    async def refused(self, request: bytes) -> tuple[int, str]:
        """The status and the reason of a request that must not reach the provider."""
        client = await self.gateway.client()
        client.send(request)
        said = await client.message()
        assert self.there.connections == 0, "the provider was called"
        return said.status, json.loads(said.body)["error"]["code"]

    async def forwarded(self, request: bytes, said: bytes = answer(WHOLE)) -> tuple[Message, Message]:
        """What the provider was sent and what the client was told."""
        client = await self.gateway.client()
        client.send(request)
        wire, seen = await self.there.called()
        wire.send(said)
        told = await client.message()
        wire.close()
        return seen, told


@contextlib.asynccontextmanager
async def stage(directory: Path, more: str = "", key: str = "", *names: str) -> AsyncIterator[Stage]:
    async with provider() as there:
        toml = policy(upstreams_at(there.port, *(names or ("openai",))) + more, key)
        async with serving(directory, toml) as gateway:
            yield Stage(gateway, there)


@pytest.mark.parametrize("slot", SLOTS)
async def test_cve_2026_42208_ghsa_r75f_5x8p_qvmc_no_credential_slot_reaches_sql(tmp_path: Path, slot: bytes):
    async with stage(tmp_path) as here:
        for statement in SQL:
            request = call(CHAT, BODY, slot % statement.encode(), token="")
            assert await here.refused(request) == (401, "invalid_key")
        target = call("/v1/chat/completions?key=%27%20OR%20%271%27=%271", BODY, token="")
        assert await here.refused(target) == (401, "invalid_key")


@pytest.mark.parametrize(
    "host",
    [
        b"localhost:4000/#@attacker.example", b"admin@gateway", b"gateway#", b"gateway/../metrics", b"127.0.0.1:8081",
        b"attacker.example", b"[::1]:8081",
    ],
)  # fmt: skip
async def test_cve_2026_49468_ghsa_4xpc_pv4p_pm3w_the_host_header_opens_no_route(tmp_path: Path, host: bytes):
    async with stage(tmp_path) as here:
        for path in (b"/key/generate", b"/metrics", b"/healthz", b"/config/update"):
            client = await here.gateway.client()
            client.send(b"GET %b HTTP/1.1\r\nhost: %b\r\n\r\n" % (path, host))
            assert (await client.message()).status in (400, 401)
        assert here.there.connections == 0


async def test_cve_2026_59822_ghsa_7488_6r32_c95q_a_failed_key_is_nobody(tmp_path: Path):
    async with stage(tmp_path, key="expires_at = 2001-01-01T00:00:00Z") as here:
        for line in (b"authorization: Bearer", b"authorization: Basic bGs6", b"authorization: %b", b"x: 1"):
            status, code = await here.refused(call(CHAT, BODY, line, token=""))
            assert (status, code) in ((401, "missing_key"), (401, "invalid_key"))
        assert await here.refused(call(CHAT, BODY)) == (401, "invalid_key")
        broken = b"authorization: Bearer lk-\xff\xfe\x80"
        assert await here.refused(call(CHAT, BODY, broken, token="")) == (401, "invalid_key")


async def test_cve_2026_35030_ghsa_jjhc_v7c2_5hh6_keys_that_begin_alike_share_nothing(tmp_path: Path):
    other = TOKEN * 5
    digest = "9" * 64
    more = f'\n[projects.other]\n[[keys]]\nid = "other"\nproject_id = "other"\nsha256 = "{digest}"\n'
    async with stage(tmp_path, more) as here:
        await here.forwarded(call(CHAT, BODY))
        for token in (TOKEN + "x", TOKEN[:-1], other, TOKEN.upper(), TOKEN + " x"):
            client = await here.gateway.client()
            client.send(call(CHAT, BODY, token=token))
            assert (await client.message()).status == 401
        assert here.there.connections == 1


ELSEWHERE: list[dict[str, Any]] = [
    {"api_base": "http://ATTACKER"},
    {"base_url": "http://ATTACKER", "api_key": "x"},
    {"extra_body": {"api_base": "http://ATTACKER"}},
    {"litellm_params": {"api_base": "http://ATTACKER"}},
    {"metadata": {"deep": [{"er": {"api_base": "http://ATTACKER", "custom_llm_provider": "openai"}}]}},
    {"user_config": {"model_list": [{"litellm_params": {"api_base": "http://ATTACKER"}}]}},
    {"fallbacks": [{"model": "m", "api_base": "http://ATTACKER"}]},
]


@pytest.mark.parametrize("members", ELSEWHERE, ids=[str(n) for n in range(len(ELSEWHERE))])
async def test_cve_2024_6587_26996_37053_no_body_chooses_where_a_request_goes(tmp_path: Path, members: dict[str, Any]):
    async with provider() as attacker, stage(tmp_path) as here:
        text = json.dumps({"model": "gpt-4o", "messages": [], **members})
        body = text.replace("ATTACKER", f"127.0.0.1:{attacker.port}").encode()
        seen, told = await here.forwarded(call(CHAT, body))
        assert (seen.body, told.status) == (body, 200)
        assert (here.there.connections, attacker.connections) == (1, 0)


@pytest.mark.parametrize(
    "header",
    [
        b"x-portkey-custom-host: http://127.0.0.1:%d", b"x-forwarded-host: 127.0.0.1:%d",
        b"forwarded: host=127.0.0.1:%d", b"x-original-url: http://127.0.0.1:%d/",
        b"x-upstream-base-url: http://127.0.0.1:%d", b"via: 1.1 127.0.0.1:%d", b"helicone-target-url: http://127.0.0.1:%d",
    ],
)  # fmt: skip
async def test_cve_2025_66405_no_header_chooses_where_a_request_goes(tmp_path: Path, header: bytes):
    async with provider() as attacker, stage(tmp_path) as here:
        seen, told = await here.forwarded(call(CHAT, BODY, header % attacker.port))
        assert told.status == 200
        assert seen.header(b"host") == b"127.0.0.1:%d" % here.there.port
        assert attacker.connections == 0


async def test_portkey_1718_every_route_passes_the_same_guards(tmp_path: Path):
    """Every operation of every provider, by its path as it stands: without a key 401, with a bad one 401."""
    async with stage(tmp_path) as here:
        client = await here.gateway.client()
        rows = [(name, row) for name, one in PROVIDERS.items() if one.origin for row in rows_of(one)]
        asked = 0
        for name, row in rows:
            if row.method == WEBSOCKET:
                continue
            path = "/".join("x" if part.startswith("{") else part for part in row.path.split("/"))
            path = path.replace("{model}", "x").replace("{arn}", "x")
            for token in ("", "lk-wrong"):
                body = BODY if row.method == "POST" else b""
                request = call(f"/{name}{path}", body, token=token)
                client.send(request.replace(request.split(b" ")[0], row.method.encode(), 1))
                assert (await client.message()).status == 401, (name, row.path)
                asked += 1
        assert asked > 800
        assert here.there.connections == 0


async def test_one_api_2388_no_url_in_a_body_is_fetched(tmp_path: Path):
    async with provider() as attacker, stage(tmp_path) as here:
        url = f"http://127.0.0.1:{attacker.port}/secret.png"
        content = [{"type": "image_url", "image_url": {"url": url}}, {"type": "input_file", "file_url": url}]
        body = json.dumps({"model": "gpt-4o", "messages": [{"role": "user", "content": content}]}).encode()
        await here.forwarded(call(CHAT, body))
        # Without a usage in the answer, the images are estimated: from what is known, and that is nothing.
        await here.forwarded(call(CHAT, body), answer(b'{"model":"gpt-4o","choices":[]}'))
        records = await here.gateway.stop()
        assert [record.provenance for record in records] == ["reported", "estimated"]
        assert (here.there.connections, attacker.connections) == (2, 0)


TEMPLATES = ("{{7*7}}", "${jndi:ldap://127.0.0.1/x}", "{% import os %}{{ os.popen('id') }}", "#{7*7}", "<%= 7*7 %>")


async def test_ghsa_xqmj_j6mv_4862_templates_are_text(tmp_path: Path):
    async with stage(tmp_path) as here:
        for template in TEMPLATES:
            body = json.dumps({"model": "gpt-4o", "prompt_template": template, "messages": [{"content": template}]})
            seen, _ = await here.forwarded(call(CHAT, body.encode(), b"x-lensai-user: " + template.encode()))
            assert seen.body == body.encode()
        records = await here.gateway.stop()
        assert [record.user_id for record in records] == list(TEMPLATES)


def test_ghsa_v4p8_mg3p_g94g_24952_nothing_is_executed():
    """No source of the gateway evaluates text; processes are started by the command line alone."""
    for path in SOURCES:
        tree = ast.parse(path.read_text())
        names = {
            node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        }
        assert not names & {"eval", "exec", "compile", "__import__"}, path
        imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        if imported & {"subprocess", "multiprocessing"}:
            assert "cli" in path.parts or path.name in ("__main__.py", "supervise.py"), path


def test_helicone_ai_gateway_307_an_empty_configuration_serves_nobody():
    for text in ("", "[settings]\n"):
        assert compile_policy(text, {"OPENAI_API_KEY": "sk-x"}, source="lensai.toml").keys == ()
    with pytest.raises(PolicyError):
        compile_policy('[[keys]]\nid = "open"\n', {}, source="lensai.toml")


async def test_helicone_ai_gateway_307_without_a_key_every_call_is_refused(tmp_path: Path):
    async with provider() as there, serving(tmp_path, upstreams_at(there.port, "openai")) as gateway:
        client = await gateway.client()
        for token in ("", "sk-anything", TOKEN):
            client.send(call(CHAT, BODY, token=token))
            assert (await client.message()).status == 401
        assert there.connections == 0
        assert (await gateway.page("/readyz")).status == 503


async def test_39293_39964_31620_a_refusal_repeats_no_key(tmp_path: Path):
    secrets = (b"lk-canary-0123456789", b"sk-canary-0123456789")
    async with stage(tmp_path) as here:
        for path in (CHAT, "/k/lk-canary-0123456789/openai" + CHAT, "/lk-canary-0123456789" + CHAT):
            for line in (b"authorization: Bearer %b", b"x-api-key: %b", b"cookie: %b"):
                client = await here.gateway.client()
                client.send(call(path, b"no json", line % secrets[0], b"x-other: " + secrets[1], token=""))
                said = await client.message()
                assert said.status >= 400
                assert b"canary" not in said.raw


async def test_29955_bifrost_5769_semantic_router_2134_no_answer_is_kept_for_another_caller(tmp_path: Path):
    async with stage(tmp_path) as here:
        answers = [b'{"model":"gpt-4o","id":"%d",%b}' % (n, USAGE) for n in range(3)]
        for said in answers:
            _, told = await here.forwarded(call(CHAT, BODY, b"cache-control: max-age=3600"), answer(said, b"age: 1"))
            assert told.body == said
        assert here.there.connections == 3


async def test_37618_no_project_lists_what_another_stored(tmp_path: Path):
    other = f'\n[projects.other]\n[[keys]]\nid = "other"\nproject_id = "other"\nsha256 = "{"9" * 64}"\n'
    names = ("openai", "anthropic", "gemini", "groq", "mistral", "azure")
    lists = [(name, row) for name in names for row in rows_of(PROVIDERS[name]) if row.endpoint.lists]
    async with stage(tmp_path, other, "", *names) as here:
        for name, row in lists:
            for cursor in ("", "?after=file-1&limit=100", "?cursor=x"):
                said = await (await _asked(here, f"/{name}{row.path}{cursor}")).message()
                assert (said.status, b"shared" in said.body) == (403, True), row.path
        assert len(lists) > 10
        assert here.there.connections == 0


async def _asked(here: Stage, path: str) -> Any:
    client = await here.gateway.client()
    client.send(call(path))
    return client


@pytest.mark.parametrize(
    "path",
    ["/v1/videos", "/v1/assistants", "/v1/threads/t/runs", "/v1/containers", "/v1/evals", "/v1/realtime/client_secrets",
     "/v1/unknown", "/v1/engines/gpt-4/completions", "/v1/chat/completions/x/y", "/openai/../v1/x"],
)  # fmt: skip
async def test_13882_36646_what_cannot_be_metered_is_not_passed_through(tmp_path: Path, path: str):
    async with stage(tmp_path) as here:
        status, code = await here.refused(call(path, BODY))
        assert (status, code) in ((403, "endpoint_not_metered"), (400, "malformed_request"))


@pytest.mark.parametrize("stream", [False, True])
async def test_35834_25874_38344_an_alias_costs_what_the_model_behind_it_does(tmp_path: Path, stream: bool):
    toml = '\n[upstreams.openai.models]\nour-alias = "gpt-4o"\n'
    async with stage(tmp_path, toml) as here:
        asked = {"model": "our-alias", "messages": [], **({"stream": True} if stream else {})}
        usage = b'{"model":"our-alias","choices":[],' + USAGE + b"}"
        said = answer(usage)
        if stream:
            said = stream_head() + chunk(b"data: " + usage + b"\n\ndata: [DONE]\n\n") + chunk(b"")
        await here.forwarded(call(CHAT, json.dumps(asked).encode()), said)
        [record] = await here.gateway.stop()
        # 9 x 2.50 + 2 x 10 USD per million.
        assert (record.price_match, record.cost_nanousd) == ("mapped", 42_500)


async def test_25874_a_model_without_a_price_is_unpriced_and_never_free(tmp_path: Path):
    async with stage(tmp_path) as here:
        body = b'{"model":"gpt-99-imaginary","messages":[]}'
        await here.forwarded(call(CHAT, body), answer(b'{"model":"gpt-99-imaginary",' + USAGE + b"}"))
        [record] = await here.gateway.stop()
        assert (record.price_match, record.cost_nanousd, record.tokens_in) == ("unpriced", None, 9)


async def test_9820_35535_a_disabled_key_is_refused_on_the_connection_it_was_using(tmp_path: Path):
    async with stage(tmp_path) as here:
        client = await here.gateway.client()
        client.send(call(CHAT, BODY))
        wire, _ = await here.there.called()
        wire.send(answer(WHOLE))
        assert (await client.message()).status == 200
        toml = policy(upstreams_at(here.there.port, "openai"), "disabled = true")
        (tmp_path / "lensai.toml").write_text(toml)
        here.gateway.server.reload()
        client.send(call(CHAT, BODY))
        assert (await client.message()).status == 401


async def test_buttercup_550_no_caller_is_exempt(tmp_path: Path):
    """The provider's own key is no LensAI key, nor is the policy's secret."""
    async with stage(tmp_path) as here:
        for token in (SECRET, "sk-provider", "master", "admin", "lensai"):
            assert await here.refused(call(CHAT, BODY, token=token)) == (401, "invalid_key")
