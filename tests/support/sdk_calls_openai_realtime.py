"""Owns the calls of OpenAI's SDK over WebSockets: realtime sessions, and responses in turns. Azure's where alike.

They stand in `sdk_calls_openai_more.MORE_CALLS` once this is imported.
"""

import base64
from collections.abc import AsyncIterable, Iterable
from typing import Any

import openai

from tests.support.sdk_calls import API_VERSION, FROZEN, QUESTION, Transcript, plain, register
from tests.support.sdk_calls_openai_more import MORE_CALLS, async_call, call

# Half a second.
SOUND = base64.b64encode(bytes(24_000)).decode()
TEXT_SESSION: Any = {"type": "realtime", "output_modalities": ["text"], "instructions": "Be brief."}
HEARING_SESSION: Any = {
    "type": "realtime",
    "audio": {"input": {"turn_detection": None, "transcription": {"model": "gpt-4o-transcribe"}}},
}
ITEM: Any = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": QUESTION}]}


def _until(connection: Any, *kinds: str) -> Iterable[Any]:
    """What is received, up to the first event of one of these kinds."""
    for event in connection:
        yield event
        if event.type in kinds:
            return


def _converse(connection: Any) -> Iterable[Any]:
    yield from _until(connection, "session.created")
    connection.session.update(session=TEXT_SESSION)
    connection.conversation.item.create(item=ITEM)
    connection.response.create()
    yield from _until(connection, "response.done")


@call("openai", "realtime")
def _realtime(api: openai.OpenAI) -> Iterable[Any]:
    with api.realtime.connect(model="gpt-realtime", extra_headers=FROZEN) as connection:
        yield from _converse(connection)


@call("azure.v1", "realtime")
def _realtime_azure_v1(api: openai.OpenAI) -> Iterable[Any]:
    with api.realtime.connect(model="gpt-realtime-mini", extra_headers=FROZEN) as connection:
        yield from _converse(connection)


def _realtime_azure(base_url: str, key: str) -> Transcript:
    """With the deployment and the version in the query. The SDK would insist on TLS here, were it not told where."""
    where = base_url.replace("http", "ws", 1) + "/openai"
    api = openai.AzureOpenAI(
        azure_endpoint=base_url, api_version=API_VERSION, api_key=key, max_retries=0, websocket_base_url=where
    )
    with api, api.realtime.connect(model="gpt-realtime", extra_headers=FROZEN) as connection:
        return [plain(event) for event in _converse(connection)]


register("azure", "realtime", _realtime_azure, MORE_CALLS)


@call("openai", "realtime.audio")
def _realtime_audio(api: openai.OpenAI) -> Iterable[Any]:
    with api.realtime.connect(model="gpt-realtime", extra_headers=FROZEN) as connection:
        connection.session.update(session=HEARING_SESSION)
        connection.input_audio_buffer.append(audio=SOUND)
        connection.input_audio_buffer.commit()
        yield from _until(connection, "conversation.item.input_audio_transcription.completed")
        connection.response.create()
        yield from _until(connection, "response.done")


@async_call("openai", "realtime.async")
async def _realtime_async(api: openai.AsyncOpenAI) -> AsyncIterable[Any]:
    async with api.realtime.connect(model="gpt-realtime", extra_headers=FROZEN) as connection:
        await connection.response.create(response={"output_modalities": ["text"], "max_output_tokens": 5})
        async for event in connection:
            yield event
            if event.type == "response.done":
                break


@call("openai", "realtime.error")
def _realtime_error(api: openai.OpenAI) -> Iterable[Any]:
    with api.realtime.connect(model="gpt-realtime", extra_headers=FROZEN) as connection:
        connection.response.cancel()
        yield from _until(connection, "error")


@call("openai", "responses.socket")
def _responses_socket(api: openai.OpenAI) -> Iterable[Any]:
    with api.responses.connect(extra_headers=FROZEN) as connection:
        connection.response.create(model="gpt-4.1-mini", input=QUESTION)
        events = list(_until(connection, "response.completed"))
        yield from events
        connection.response.create(model="gpt-4.1-mini", input="And why?", previous_response_id=events[-1].response.id)
        yield from _until(connection, "response.completed")


@async_call("openai", "responses.socket.async")
async def _responses_socket_async(api: openai.AsyncOpenAI) -> AsyncIterable[Any]:
    async with api.responses.connect(extra_headers=FROZEN) as connection:
        await connection.response.create(model="gpt-5-mini", input=QUESTION, max_output_tokens=16)
        async for event in connection:
            yield event
            if event.type in ("response.completed", "response.incomplete"):
                break
