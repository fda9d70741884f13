"""Owns the calls of OpenAI's SDK beyond text: images, sound, files, jobs and what is kept. Azure's where alike.

`MORE_CALLS[name].run(base_url, key)` is the same kind of call as `sdk_calls` has.
"""

import asyncio
import io
import json
import warnings
from collections.abc import AsyncIterable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import openai

from gateway.sandbox.media import picture, wav
from tests.support import sdk_calls
from tests.support.sdk_calls import MESSAGES, QUESTION, SdkCall

MORE_CALLS: dict[str, SdkCall] = {}
call = partial(sdk_calls.call, table=MORE_CALLS)
async_call = partial(sdk_calls.async_call, table=MORE_CALLS)

# Two seconds and a half, so that what is billed by the second shows how it rounds.
SPEECH = ("speech.wav", wav(bytes(2 * 24_000 * 5 // 2)), "audio/wav")
PICTURE = ("cat.png", picture(b"cat"), "image/png")
BATCH_LINES = [
    {
        "custom_id": f"line-{number}",
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": f"{QUESTION} {number}"}]},
    }
    for number in range(3)
]
JSONL = b"".join(json.dumps(line).encode() + b"\n" for line in BATCH_LINES)


@contextmanager
def _deprecated() -> Iterator[None]:
    """The SDK would rather not have the oldest operations called; the API still has them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


@call("openai", "images")
@call("azure", "images")
def _images(api: openai.OpenAI) -> Iterable[Any]:
    return [api.images.generate(model="gpt-image-1.5", prompt=QUESTION, quality="low", size="1024x1536", n=2)]


@call("openai", "images.stream")
def _images_stream(api: openai.OpenAI) -> Iterable[Any]:
    return api.images.generate(model="gpt-image-2", prompt=QUESTION, stream=True, partial_images=2)


@call("openai", "images.dall_e")
def _images_dall_e(api: openai.OpenAI) -> Iterable[Any]:
    yield api.images.generate(model="dall-e-3", prompt=QUESTION, quality="hd", size="1792x1024")
    yield api.images.generate(model="dall-e-2", prompt=QUESTION, n=2, size="256x256", response_format="b64_json")


@call("openai", "images.edit")
def _images_edit(api: openai.OpenAI) -> Iterable[Any]:
    return [api.images.edit(model="gpt-image-1.5", image=[PICTURE, PICTURE], prompt=QUESTION, mask=PICTURE)]


@call("openai", "images.edit.stream")
def _images_edit_stream(api: openai.OpenAI) -> Iterable[Any]:
    return api.images.edit(model="gpt-image-2", image=PICTURE, prompt=QUESTION, stream=True, partial_images=1)


@call("openai", "images.variation")
def _images_variation(api: openai.OpenAI) -> Iterable[Any]:
    with _deprecated():
        return [api.images.create_variation(image=PICTURE, n=2, size="512x512")]


@call("openai", "speech")
@call("azure", "speech")
def _speech(api: openai.OpenAI) -> Iterable[Any]:
    return [api.audio.speech.create(model="tts-1", voice="alloy", input=QUESTION).read().hex()]


@call("openai", "speech.stream")
def _speech_stream(api: openai.OpenAI) -> Iterable[Any]:
    spoken: Any = api.audio.speech.with_streaming_response
    asked = {"model": "gpt-4o-mini-tts", "voice": "coral", "input": QUESTION}
    with spoken.create(**asked, response_format="wav") as answer:
        yield b"".join(answer.iter_bytes()).hex()
    with spoken.create(**asked, stream_format="sse") as answer:
        yield from answer.iter_lines()


@call("openai", "transcriptions")
def _transcriptions(api: openai.OpenAI) -> Iterable[Any]:
    yield api.audio.transcriptions.create(model="whisper-1", file=SPEECH)
    yield api.audio.transcriptions.create(model="gpt-4o-transcribe", file=SPEECH, prompt="names")


@call("openai", "transcriptions.formats")
def _transcriptions_formats(api: openai.OpenAI) -> Iterable[Any]:
    granularities: Any = ["word", "segment"]
    yield api.audio.transcriptions.create(
        model="whisper-1", file=SPEECH, response_format="verbose_json", timestamp_granularities=granularities
    )
    formats: Any = ("text", "srt", "vtt")
    for response_format in formats:
        yield api.audio.transcriptions.create(model="whisper-1", file=SPEECH, response_format=response_format)


@call("openai", "transcriptions.stream")
def _transcriptions_stream(api: openai.OpenAI) -> Iterable[Any]:
    return api.audio.transcriptions.create(model="gpt-4o-mini-transcribe", file=SPEECH, stream=True)


@async_call("openai", "transcriptions.async")
async def _transcriptions_async(api: openai.AsyncOpenAI) -> AsyncIterable[Any]:
    yield await api.audio.transcriptions.create(model="whisper-1", file=SPEECH)


@call("openai", "translations")
def _translations(api: openai.OpenAI) -> Iterable[Any]:
    with _deprecated():
        whole = api.audio.translations.create(model="whisper-1", file=SPEECH)
        return [whole, api.audio.translations.create(model="whisper-1", file=SPEECH, response_format="verbose_json")]


@call("openai", "files")
@call("azure", "files")
def _files(api: openai.OpenAI) -> Iterable[Any]:
    made = api.files.create(file=("notes.txt", b"what never sleeps"), purpose="user_data")
    yield made
    yield api.files.retrieve(made.id)
    yield from (file for file in api.files.list(purpose="user_data") if file.id == made.id)
    yield api.files.content(made.id).read().decode()
    yield api.files.delete(made.id)


@call("openai", "uploads")
def _uploads(api: openai.OpenAI) -> Iterable[Any]:
    upload = api.uploads.create(bytes=12, filename="all.txt", mime_type="text/plain", purpose="user_data")
    yield upload
    parts = [api.uploads.parts.create(upload.id, data=io.BytesIO(data)) for data in (b"never ", b"sleeps")]
    yield from parts
    yield api.uploads.complete(upload.id, part_ids=[part.id for part in parts])
    given_up = api.uploads.create(bytes=1, filename="none.txt", mime_type="text/plain", purpose="user_data")
    yield api.uploads.cancel(given_up.id)


@call("openai", "vector_stores")
@call("azure.v1", "vector_stores")
def _vector_stores(api: openai.OpenAI) -> Iterable[Any]:
    file = api.files.create(file=("notes.txt", b"the sea never sleeps"), purpose="assistants")
    store = api.vector_stores.create(name="notes")
    yield store
    yield api.vector_stores.files.create(store.id, file_id=file.id, attributes={"kind": "sea"})
    batch = api.vector_stores.file_batches.create(store.id, file_ids=[file.id])
    yield api.vector_stores.file_batches.retrieve(batch.id, vector_store_id=store.id)
    yield from api.vector_stores.file_batches.list_files(batch.id, vector_store_id=store.id)
    yield from api.vector_stores.files.list(store.id)
    yield from api.vector_stores.search(store.id, query="sleep")
    yield api.vector_stores.retrieve(store.id)
    yield api.vector_stores.files.delete(file.id, vector_store_id=store.id)
    yield api.vector_stores.delete(store.id)


@call("openai", "batches")
@call("azure", "batches")
def _batches(api: openai.OpenAI) -> Iterable[Any]:
    lines = api.files.create(file=("lines.jsonl", JSONL), purpose="batch")
    batch = api.batches.create(completion_window="24h", endpoint="/v1/chat/completions", input_file_id=lines.id)
    yield batch
    while batch.status != "completed":
        batch = api.batches.retrieve(batch.id)
        yield batch
    assert batch.output_file_id
    yield api.files.content(batch.output_file_id).read().decode()


@async_call("openai", "batches.async")
async def _batches_async(api: openai.AsyncOpenAI) -> AsyncIterable[Any]:
    lines = await api.files.create(file=("other.jsonl", JSONL), purpose="batch")
    batch = await api.batches.create(completion_window="24h", endpoint="/v1/chat/completions", input_file_id=lines.id)
    yield await api.batches.cancel(batch.id)


@call("openai", "fine_tuning")
def _fine_tuning(api: openai.OpenAI) -> Iterable[Any]:
    file = api.files.create(file=("train.jsonl", b'{"messages": []}\n' * 8), purpose="fine-tune")
    job = api.fine_tuning.jobs.create(model="gpt-4o-mini", training_file=file.id, suffix="night")
    yield job
    while job.status != "succeeded":
        job = api.fine_tuning.jobs.retrieve(job.id)
        yield job
    yield from api.fine_tuning.jobs.list_events(job.id)
    yield from api.fine_tuning.jobs.checkpoints.list(job.id)
    again = api.fine_tuning.jobs.create(model="gpt-4o-mini", training_file=file.id)
    yield api.fine_tuning.jobs.cancel(again.id)


@call("openai", "conversations")
@call("azure.v1", "conversations")
def _conversations(api: openai.OpenAI) -> Iterable[Any]:
    conversation = api.conversations.create(items=[{"role": "user", "content": QUESTION}], metadata={"topic": "night"})
    yield conversation
    yield api.responses.create(model="gpt-4.1-mini", input="And why?", conversation=conversation.id)
    yield api.conversations.retrieve(conversation.id)
    items = list(api.conversations.items.list(conversation.id, order="asc"))
    yield from items
    yield api.conversations.items.retrieve(str(items[0].id), conversation_id=conversation.id)
    yield api.conversations.delete(conversation.id)


@call("openai", "responses.background")
@call("azure", "responses.background")
def _responses_background(api: openai.OpenAI) -> Iterable[Any]:
    response = api.responses.create(model="gpt-5-mini", input=QUESTION, background=True)
    yield response
    while response.status != "completed":
        response = api.responses.retrieve(response.id)
        yield response
    yield from api.responses.input_items.list(response.id)


@call("openai", "responses.background.stream")
def _responses_background_stream(api: openai.OpenAI) -> Iterable[Any]:
    name = ""
    with api.responses.create(model="gpt-5-mini", input=MESSAGES, background=True, stream=True) as stream:
        for number, event in enumerate(stream):
            yield event
            if event.type == "response.created":
                name = event.response.id
            if number == 4:
                break
    yield from api.responses.retrieve(name, stream=True, starting_after=4)


@call("openai", "responses.background.cancel")
def _responses_background_cancel(api: openai.OpenAI) -> Iterable[Any]:
    response = api.responses.create(model="gpt-5-mini", input="Nothing, then.", background=True)
    yield api.responses.cancel(response.id)
    api.responses.delete(response.id)


@call("openai", "responses.continued")
def _responses_continued(api: openai.OpenAI) -> Iterable[Any]:
    first = api.responses.create(model="gpt-4.1-mini", input=QUESTION)
    second = api.responses.create(model="gpt-4.1-mini", input="And why?", previous_response_id=first.id)
    yield second
    yield api.responses.retrieve(second.id)
    yield api.responses.compact(model="gpt-5.6-sol", input=MESSAGES)


@async_call("openai", "responses.background.async")
async def _responses_background_async(api: openai.AsyncOpenAI) -> AsyncIterable[Any]:
    response = await api.responses.create(model="gpt-5-mini", input="Later, please.", background=True)
    answers = [await api.responses.retrieve(response.id) for _ in range(2)]
    await asyncio.gather(*(api.responses.retrieve(response.id) for _ in range(2)))
    for answer in answers:
        yield answer
