"""Owns calls through the SDKs of the clouds, and of what Anthropic and Google keep between calls, told as transcripts.

`CLOUD_CALLS` is of the same kind as `tests.support.sdk_calls.CALLS`. The keys are Bedrock's API key, Vertex's
access token or the provider's own; the calls whose names end in `.signed` sign with the sandbox's AWS keys instead.
"""

import asyncio
import contextlib
import json
import os
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any
from unittest import mock

import anthropic
import boto3
import websockets.asyncio.client
from botocore.config import Config
from google import genai
from google.genai import types
from google.oauth2.credentials import Credentials

from tests.support.sdk_calls import FROZEN, QUESTION, TOOL_SCHEMA, SdkCall, Transcript, client

CLOUD_CALLS: dict[str, SdkCall] = {}

REGION = "us-east-1"
PROJECT = "shop"
AWS_KEYS = {"aws_access_key_id": "AKIASANDBOX", "aws_secret_access_key": "sandbox-secret-key"}
SESSION_TOKEN = {"aws_session_token": "sandbox-session"}
HAIKU = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
HAIKU_ARN = f"arn:aws:bedrock:{REGION}:123456789012:inference-profile/{HAIKU}"
NOVA = "amazon.nova-lite-v1:0"
ASKED: Any = [{"role": "user", "content": QUESTION}]
CONVERSED: Any = [{"role": "user", "content": [{"text": QUESTION}]}]


def bedrock(base_url: str, headers: dict[str, str] = FROZEN, **credentials: str) -> Any:
    """A boto3 client without retries, with these AWS keys or with the API key of `bedrock_key`.

    It presents an API key to an HTTPS endpoint alone: it is told that this is one, and connects without TLS.
    """
    made: Any = _session(**credentials).client(
        "bedrock-runtime",
        endpoint_url=base_url.replace("http:", "https:", 1),
        config=Config(retries={"total_max_attempts": 1}),
    )

    def add_headers(request: Any, **_: object) -> None:
        for name, value in headers.items():
            request.headers[name] = value

    def undress(request: Any, **_: object) -> None:
        request.url = request.url.replace("https:", "http:", 1)

    made.meta.events.register("before-sign", add_headers)
    made.meta.events.register("before-send", undress)
    return made


@cache  # Reading the service's model takes most of a second; a session keeps it.
def _session(**credentials: str) -> Any:
    return boto3.Session(region_name=REGION, **credentials)


def bedrock_key(key: str) -> contextlib.AbstractContextManager[object]:
    """boto3's one place for an API key, which it looks into at every call."""
    return mock.patch.dict(os.environ, {"AWS_BEARER_TOKEN_BEDROCK": key})


def anthropic_bedrock(base_url: str, key: str = "", **credentials: str) -> anthropic.AnthropicBedrock:
    given: Any = {"api_key": key} if key else credentials
    return anthropic.AnthropicBedrock(
        base_url=base_url, aws_region=REGION, max_retries=0, default_headers=FROZEN, **given
    )


def anthropic_vertex(base_url: str, key: str) -> anthropic.AnthropicVertex:
    return anthropic.AnthropicVertex(
        base_url=base_url + "/v1",
        region=REGION,
        project_id=PROJECT,
        access_token=key,
        max_retries=0,
        default_headers=FROZEN,
    )


def vertex(base_url: str, key: str) -> genai.Client:
    """google-genai as for Vertex, with a token that needs no refreshing."""
    return genai.Client(
        vertexai=True,
        project=PROJECT,
        location="us-central1",
        credentials=Credentials(token=key),  # pyright: ignore[reportUnknownArgumentType]
        http_options=types.HttpOptions(base_url=base_url, headers=FROZEN),
    )


# How each client is made for a base URL and a key, and the gateway's upstream the URL stands for.
_CLIENTS: dict[str, tuple[str, Callable[[str, str], Any]]] = {
    "bedrock": ("bedrock", lambda url, _: bedrock(url)),
    "bedrock.signed": ("bedrock", lambda url, _: bedrock(url, **AWS_KEYS)),
    "bedrock.session.signed": ("bedrock", lambda url, _: bedrock(url, **AWS_KEYS, **SESSION_TOKEN)),
    "bedrock.anthropic": ("bedrock", anthropic_bedrock),
    "bedrock.anthropic.signed": (
        "bedrock",
        lambda url, _: anthropic_bedrock(url, aws_access_key="AKIASANDBOX", aws_secret_key="sandbox-secret-key"),
    ),
    "vertex": ("vertex", vertex),
    "vertex.anthropic": ("vertex", anthropic_vertex),
    "anthropic": ("anthropic", lambda url, key: client("anthropic", url, key)),
    "anthropic.based": ("anthropic.below", lambda url, key: client("anthropic", url + "/anthropic", key)),
    "gemini": ("gemini", lambda url, key: client("gemini", url, key)),
}


def connect_plainly(uri: str, additional_headers: dict[str, str], **_: object) -> Any:
    """The Live API's connection without TLS, which google-genai insists on even with a base URL of `http:`."""
    return websockets.asyncio.client.connect(uri.replace("wss:", "ws:", 1), additional_headers=additional_headers)


async def _converse_live(api: genai.Client) -> list[Any]:
    heard = list[Any]()
    model, config = "gemini-live-2.5-flash", types.LiveConnectConfig(response_modalities=[types.Modality.TEXT])
    with mock.patch("google.genai.live.ws_connect", connect_plainly):
        async with api.aio.live.connect(model=model, config=config) as session:
            for question in (QUESTION, "Go on."):
                turn = types.Content(role="user", parts=[types.Part(text=question)])
                await session.send_client_content(turns=turn)
                heard += [message async for message in session.receive()]
    return heard


def _call(made_by: str, name: str) -> Callable[[Any], Any]:
    """Registers a function that gives, for a client made so, an iterable of what the SDK gave."""
    dialect, make_client = _CLIENTS[made_by]
    family, _, how = made_by.partition(".")

    def register(make: Callable[[Any], Iterable[Any]]) -> Callable[[Any], Iterable[Any]]:
        def run(base_url: str, key: str) -> Transcript:
            environment = bedrock_key(key) if made_by == "bedrock" else contextlib.nullcontext()
            with environment, contextlib.closing(make_client(base_url, key)) as made:
                return [_plain(item) for item in make(made)]

        CLOUD_CALLS[".".join(filter(None, (family, name, how)))] = SdkCall(dialect, run)
        return make

    return register


def _plain(item: Any) -> Any:
    """What an SDK gave as JSON values. What came with the HTTP answer and not in its body is left out."""
    if isinstance(item, dict):
        return {name: _plain(member) for name, member in item.items() if name != "ResponseMetadata"}
    if isinstance(item, list):
        return [_plain(member) for member in item]
    if isinstance(item, bytes):
        return item.decode()
    if item is None or isinstance(item, str | float | int):
        return item
    exclude = {"sdk_http_response"} if type(item).__module__.startswith("google.") else None
    return item.model_dump(mode="json", exclude_unset=True, exclude=exclude)


# Bedrock.


@_call("bedrock", "converse")
@_call("bedrock.signed", "converse")
@_call("bedrock.session.signed", "converse")
def _converse(api: Any) -> Iterable[Any]:
    return [api.converse(modelId=HAIKU, messages=CONVERSED, system=[{"text": "Be brief."}])]


@_call("bedrock", "converse.arn")
@_call("bedrock.signed", "converse.arn")
def _converse_arn(api: Any) -> Iterable[Any]:
    config = {"maxTokens": 4}
    tier = {"type": "priority"}
    return [api.converse(modelId=HAIKU_ARN, messages=CONVERSED, inferenceConfig=config, serviceTier=tier)]


@_call("bedrock", "converse.tool")
def _converse_tool(api: Any) -> Iterable[Any]:
    return [api.converse(modelId=NOVA, messages=CONVERSED, toolConfig=_bedrock_tool())]


@_call("bedrock", "converse.stream")
@_call("bedrock.signed", "converse.stream")
def _converse_stream(api: Any) -> Iterable[Any]:
    return api.converse_stream(modelId=HAIKU, messages=CONVERSED)["stream"]


@_call("bedrock", "converse.tool.stream")
def _converse_tool_stream(api: Any) -> Iterable[Any]:
    return api.converse_stream(modelId=NOVA, messages=CONVERSED, toolConfig=_bedrock_tool())["stream"]


@_call("bedrock", "converse.thinking.stream")
def _converse_thinking_stream(api: Any) -> Iterable[Any]:
    thinking = {"thinking": {"type": "enabled", "budget_tokens": 1024}}
    return api.converse_stream(modelId=HAIKU, messages=CONVERSED, additionalModelRequestFields=thinking)["stream"]


def _bedrock_tool() -> Any:
    spec = {"name": "remember", "description": "Keeps a text.", "inputSchema": {"json": TOOL_SCHEMA}}
    return {"tools": [{"toolSpec": spec}], "toolChoice": {"any": {}}}


_BODIES: dict[str, tuple[str, dict[str, Any]]] = {
    "claude": (HAIKU, {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 8, "messages": ASKED}),
    "nova": (NOVA, {"schemaVersion": "messages-v1", "messages": CONVERSED, "inferenceConfig": {"maxTokens": 8}}),
    "llama": ("meta.llama3-1-8b-instruct-v1:0", {"prompt": QUESTION, "max_gen_len": 8}),
}


def _register_native(maker: str) -> None:
    model, document = _BODIES[maker]

    def invoke(api: Any) -> Iterable[Any]:
        return [json.loads(api.invoke_model(modelId=model, body=json.dumps(document))["body"].read())]

    def invoke_stream(api: Any) -> Iterable[Any]:
        stream = api.invoke_model_with_response_stream(modelId=model, body=json.dumps(document))["body"]
        return [json.loads(event["chunk"]["bytes"]) for event in stream]

    for made_by in ("bedrock", "bedrock.signed"):
        _call(made_by, f"invoke.{maker}")(invoke)
        _call(made_by, f"invoke.{maker}.stream")(invoke_stream)


for _maker in _BODIES:
    _register_native(_maker)


@_call("bedrock", "invoke.titan")
def _invoke_titan(api: Any) -> Iterable[Any]:
    body = json.dumps({"inputText": QUESTION, "dimensions": 256})
    return [json.loads(api.invoke_model(modelId="amazon.titan-embed-text-v2:0", body=body)["body"].read())]


@_call("bedrock", "count_tokens")
@_call("bedrock.signed", "count_tokens")
def _bedrock_count(api: Any) -> Iterable[Any]:
    _, document = _BODIES["claude"]
    inputs: Any = [{"converse": {"messages": CONVERSED}}, {"invokeModel": {"body": json.dumps(document)}}]
    return [api.count_tokens(modelId=HAIKU, input=given) for given in inputs]


@_call("bedrock.anthropic", "messages")
@_call("bedrock.anthropic.signed", "messages")
def _bedrock_messages(api: anthropic.AnthropicBedrock) -> Iterable[Any]:
    return [api.messages.create(model=HAIKU, max_tokens=64, messages=ASKED)]


@_call("bedrock.anthropic", "messages.stream")
@_call("bedrock.anthropic.signed", "messages.stream")
def _bedrock_messages_stream(api: anthropic.AnthropicBedrock) -> Iterable[Any]:
    return api.messages.create(model=HAIKU, max_tokens=64, messages=ASKED, stream=True)


# Vertex.


@_call("vertex", "generate_content")
def _generate(api: genai.Client) -> Iterable[Any]:
    config = types.GenerateContentConfig(system_instruction="Be brief.", max_output_tokens=9)
    return [api.models.generate_content(model="gemini-2.5-flash", contents=QUESTION, config=config)]


@_call("vertex", "generate_content.stream")
def _generate_stream(api: genai.Client) -> Iterable[Any]:
    return api.models.generate_content_stream(model="gemini-2.5-flash", contents=QUESTION)


@_call("vertex", "count_tokens")
def _vertex_count(api: genai.Client) -> Iterable[Any]:
    return [api.models.count_tokens(model="gemini-2.5-flash", contents=QUESTION)]


@_call("vertex", "embed_content")
def _embed_content(api: genai.Client) -> Iterable[Any]:
    """The older model goes to `predict`, the newer to `embedContent`."""
    config = types.EmbedContentConfig(output_dimensionality=16)
    return [
        api.models.embed_content(model="gemini-embedding-001", contents=[QUESTION, "night"], config=config),
        api.models.embed_content(model="gemini-embedding-2", contents=QUESTION, config=config),
    ]


@_call("vertex.anthropic", "messages")
def _vertex_messages(api: anthropic.AnthropicVertex) -> Iterable[Any]:
    return [api.messages.create(model="claude-haiku-4-5@20251001", max_tokens=64, messages=ASKED)]


@_call("vertex.anthropic", "messages.stream")
def _vertex_messages_stream(api: anthropic.AnthropicVertex) -> Iterable[Any]:
    return api.messages.create(model="claude-haiku-4-5@20251001", max_tokens=64, messages=ASKED, stream=True)


@_call("vertex.anthropic", "messages.count_tokens")
def _vertex_count_tokens(api: anthropic.AnthropicVertex) -> Iterable[Any]:
    return [api.messages.count_tokens(model="claude-haiku-4-5@20251001", messages=ASKED)]


# What Anthropic keeps.


@_call("anthropic.based", "messages")
def _based_messages(api: anthropic.Anthropic) -> Iterable[Any]:
    return [api.messages.create(model="claude-haiku-4-5", max_tokens=64, messages=ASKED)]


@_call("anthropic", "messages.batches")
def _batches(api: anthropic.Anthropic) -> Iterable[Any]:
    """Created, looked at until it has ended, read and deleted."""
    requests: Any = [
        {"custom_id": name, "params": {"model": "claude-haiku-4-5", "max_tokens": 8, "messages": ASKED}}
        for name in ("first", "second")
    ]
    batches = api.messages.batches
    made = batches.create(requests=requests)
    yield made
    yield batches.retrieve(made.id)
    ended = batches.retrieve(made.id)
    yield ended
    yield from batches.results(ended.id)
    yield from batches.list()
    yield batches.delete(made.id)


@_call("anthropic", "messages.batches.cancel")
def _batches_cancel(api: anthropic.Anthropic) -> Iterable[Any]:
    params: Any = {"model": "claude-haiku-4-5", "max_tokens": 8, "messages": ASKED}
    batches = api.messages.batches
    made = batches.create(requests=[{"custom_id": "only", "params": params}])
    yield batches.cancel(made.id)
    yield batches.retrieve(made.id)
    yield from batches.results(made.id)
    yield batches.delete(made.id)


@_call("anthropic", "files")
def _files(api: anthropic.Anthropic) -> Iterable[Any]:
    made = api.files.upload(file=("list.csv", b"item,value\n", "text/csv"))
    yield made
    yield api.files.retrieve_metadata(made.id)
    yield from api.files.list()
    yield api.files.delete(made.id)


@_call("anthropic", "files.beta")
def _files_beta(api: anthropic.Anthropic) -> Iterable[Any]:
    made = api.beta.files.upload(file=("note.txt", b"night", "text/plain"))
    yield made
    yield api.beta.files.delete(made.id)


@_call("anthropic", "messages.search.stream")
def _search_stream(api: anthropic.Anthropic) -> Iterable[Any]:
    tools: Any = [{"type": "web_search_20250305", "name": "web_search"}]
    headers = {"x-sandbox-web-searches": "2"}
    return api.messages.create(
        model="claude-haiku-4-5", max_tokens=64, messages=ASKED, tools=tools, stream=True, extra_headers=headers
    )


@_call("anthropic", "messages.iterations")
def _iterations(api: anthropic.Anthropic) -> Iterable[Any]:
    headers = {"x-sandbox-iterations": "advisor"}
    return [api.beta.messages.create(model="claude-haiku-4-5", max_tokens=64, messages=ASKED, extra_headers=headers)]


# What Gemini keeps.


@_call("gemini", "interactions")
def _interactions(api: Any) -> Iterable[Any]:
    made = api.interactions.create(model="gemini-2.5-flash", input=QUESTION)
    yield made
    yield api.interactions.create(model="gemini-2.5-flash", input="Go on.", previous_interaction_id=made.id)
    yield api.interactions.get(made.id)
    api.interactions.delete(made.id)


@_call("gemini", "interactions.stream")
def _interactions_stream(api: Any) -> Iterable[Any]:
    # Not what was asked before: a frozen answer to the same has the same id, and is charged once.
    return api.interactions.create(model="gemini-2.5-flash", input="And who does?", stream=True)


@_call("gemini", "live")
def _live(api: genai.Client) -> Iterable[Any]:
    return asyncio.run(_converse_live(api))
