"""Owns what worst cases are tried on: routes to every provider, bodies of their APIs, and what is found for them."""

import json

from gateway.examine import Call
from gateway.route import Route
from gateway.worst_case import WorstCase, worst_case
from pricing.bound import Unbounded
from pricing.catalog import Catalog
from tests.support.stages import NOW_S, request_of, route_of, view_of

CATALOG = Catalog.load()
UPSTREAMS = """
[credentials.c]
secret = "s"
[credentials.aws]
secret = "AKIDEXAMPLE:secretsecret"
[upstreams.openai]
credential_id = "c"
[upstreams.anthropic]
credential_id = "c"
[upstreams.gemini]
credential_id = "c"
[upstreams.mistral]
credential_id = "c"
[upstreams.cohere]
credential_id = "c"
[upstreams.ollama]
credential_id = "c"
[upstreams.openrouter]
credential_id = "c"
[upstreams.xai]
credential_id = "c"
[upstreams.deepseek]
credential_id = "c"
[upstreams.perplexity]
credential_id = "c"
[upstreams.voyage]
credential_id = "c"
[upstreams.bedrock]
credential_id = "aws"
region = "us-east-1"
[upstreams.azure]
origin = "https://example.openai.azure.com"
credential_id = "c"
models = { mine = "gpt-4o" }
"""
VIEW = view_of(UPSTREAMS)
CHAT = "/openai/v1/chat/completions"
RESPONSES = "/openai/v1/responses"
MESSAGES = "/anthropic/v1/messages"
GEMINI = "/gemini/v1beta/models/gemini-2.5-pro:generateContent"
CONVERSE = "/bedrock/model/us.anthropic.claude-haiku-4-5-20251001-v1%3A0/converse"
HI = [{"role": "user", "content": "hi"}]
IMAGE = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}


def route_at(path: str, method: str = "POST") -> Route:
    return route_of(request_of(path, b"{}", method="" if method == "POST" else method), VIEW)


def judged(path: str, body: dict, *, stream: bool = False, model: str = "", catalog: Catalog = CATALOG):
    route, text = route_at(path), json.dumps(body).encode()
    named = route.model_in_path or model or body.get("model") or ""
    return worst_case(Call(named, stream, "", text, False, text), route, catalog, NOW_S)


def bounded(path: str, body: dict, **more) -> WorstCase:
    found = judged(path, body, **more)
    assert isinstance(found, WorstCase), found
    assert found.unpriced is None, found
    return found


def bounded_in_tokens(path: str, body: dict, **more) -> WorstCase:
    """Of what has no price."""
    found = judged(path, body, **more)
    assert isinstance(found, WorstCase), found
    assert found.unpriced is not None, found
    return found


def refused(path: str, body: dict, **more) -> str:
    """Why nothing bounds what it costs."""
    found = judged(path, body, **more)
    why = found.unpriced if isinstance(found, WorstCase) else found
    assert isinstance(why, Unbounded), found
    return why.reason


def chat(**more) -> dict:
    return {"model": "gpt-4o", "messages": HI, "max_tokens": 100} | more


def messages(**more) -> dict:
    return {"model": "claude-haiku-4-5", "messages": HI, "max_tokens": 100} | more
