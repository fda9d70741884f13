import base64
import json
from typing import Any

import pytest

from gateway.sandbox.bill import MODELS, Tokens
from gateway.sandbox.call import Call, Charge, Said
from gateway.sandbox.controls import Controls
from gateway.sandbox.gemini_live import LiveSession
from gateway.sandbox.request import RequestReader
from tests.support.sandbox_calls import KEY, ask, new_sandbox
from tests.support.sandbox_sockets import Socket

PATH = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
MODEL = "models/gemini-live-2.5-flash"
TEXT = {"model": MODEL, "generationConfig": {"responseModalities": ["TEXT"]}}
ASKED = {"clientContent": {"turns": [{"role": "user", "parts": [{"text": "eightish"}]}], "turnComplete": True}}


def session(**controls: Any) -> LiveSession:
    (upgrade,) = RequestReader().feed(f"GET {PATH}?key=sandbox-key HTTP/1.1\r\nhost: a\r\n\r\n".encode())
    return LiveSession(Call(upgrade, Controls(**controls), "gemini", "bidi_generate_content", serial=7))


def say(live: LiveSession, document: Any) -> list[Said]:
    return list(live.hear(document if isinstance(document, str) else json.dumps(document)))


def told(said: list[Said]) -> list[Any]:
    assert all(each.binary for each in said)
    return [json.loads(each.text) for each in said]


def charged(said: list[Said]) -> Charge:
    """What the first message of a turn charges; no other does, and the last ends it."""
    first, *others = said
    assert first.charge is not None
    assert [each.charge for each in others] == [None] * len(others)
    assert [each.done for each in said] == [False] * len(others) + [True]
    return first.charge


def begun(setup: Any = TEXT, **controls: Any) -> LiveSession:
    live = session(**controls)
    assert told(say(live, {"setup": setup})) == [{"setupComplete": {}}]
    return live


def closed(said: list[Said]) -> int:
    (only,) = said
    assert only.text
    return only.close_code


def test_a_turn_is_billed_and_answered_with_its_usage_last():
    said = say(begun(tokens=3, cached_tokens=0, reasoning_tokens=4), ASKED)

    assert charged(said).prompt == Tokens(input=3)
    messages = told(said)
    texts = [message["serverContent"]["modelTurn"]["parts"][0]["text"] for message in messages[:3]]
    assert len("".join(texts).split()) == 3
    assert messages[3] == {"serverContent": {"generationComplete": True}}
    assert messages[4] == {
        "serverContent": {"turnComplete": True},
        "usageMetadata": {
            "promptTokenCount": 3,
            "responseTokenCount": 3,
            "totalTokenCount": 10,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 3}],
            "responseTokensDetails": [{"modality": "TEXT", "tokenCount": 3}],
            "thoughtsTokenCount": 4,
        },
    }


def test_what_is_sent_carries_what_was_written_for_it():
    said = say(begun(tokens=3, chunk_tokens=2, reasoning_tokens=4), ASKED)

    written = [each.tokens for each in said]
    assert written == [Tokens(output=2, reasoning=4), Tokens(output=1), Tokens(), None]


def test_thinking_without_a_word_is_counted():
    said = say(begun(tokens=0, reasoning_tokens=4), ASKED)

    assert [each.tokens for each in said] == [Tokens(reasoning=4), None]
    assert told(said)[-1]["usageMetadata"]["thoughtsTokenCount"] == 4


def test_every_turn_reads_all_that_was_said_before():
    live = begun(tokens=2)
    first, second = charged(say(live, ASKED)), charged(say(live, ASKED))

    assert (first.prompt.input, second.prompt.input) == (3, 3 + 2 + 2)
    assert (first.bill_id[-2:], second.bill_id[-2:]) == ("-1", "-2")


def test_a_turn_may_come_in_parts():
    live = begun()
    part = {"clientContent": {"turns": [{"parts": [{"text": "eightish"}]}]}}

    assert say(live, part) == []
    assert charged(say(live, ASKED)).prompt.input == 5


def test_sound_is_heard_and_spoken_at_its_own_price():
    live = begun({"model": MODEL, "outputAudioTranscription": {}}, tokens=2)
    sound = base64.b64encode(bytes(32_000)).decode()
    heard = {"realtimeInput": {"audio": {"data": sound, "mimeType": "audio/pcm;rate=16000"}}}

    assert say(live, heard) == []
    said = say(live, {"realtimeInput": {"audioStreamEnd": True}})
    assert charged(said).prompt == Tokens(input=1, input_audio=32)
    messages = told(said)
    blob = messages[0]["serverContent"]["modelTurn"]["parts"][0]["inlineData"]
    assert (blob["mimeType"], len(base64.b64decode(blob["data"]))) == ("audio/pcm;rate=24000", 1500)
    assert messages[1]["serverContent"]["outputTranscription"]["text"]
    usage = messages[-1]["usageMetadata"]
    assert usage["promptTokensDetails"] == [
        {"modality": "TEXT", "tokenCount": 1},
        {"modality": "AUDIO", "tokenCount": 32},
    ]
    assert usage["responseTokensDetails"] == [{"modality": "AUDIO", "tokenCount": 2}]
    assert sum(each.tokens.output_audio for each in said if each.tokens) == 2
    amount = MODELS["gemini-live-2.5-flash"].amount_nanousd(Tokens(input=1, input_audio=32, output_audio=2))
    assert amount == 500 + 32 * 3000 + 2 * 12000


@pytest.mark.parametrize(
    "ending", [{"realtimeInput": {"text": "hello"}}, {"realtime_input": {"activity_end": {}}}, {"toolResponse": {}}]
)
def test_other_things_end_a_turn_too(ending: Any):
    assert charged(say(begun(), ending))


def test_a_limit_holds_for_a_turn():
    setup = {"model": MODEL, "generationConfig": {"responseModalities": ["TEXT"], "maxOutputTokens": 2}}

    assert told(say(begun(setup), ASKED))[-1]["usageMetadata"]["responseTokenCount"] == 2


def test_the_first_message_and_only_the_first_is_the_setup():
    assert closed(say(session(), ASKED)) == 1007
    assert closed(say(begun(), {"setup": TEXT})) == 1007


@pytest.mark.parametrize(
    "document",
    ["{", {"other": {}}, {}, {"clientContent": {"text": "x"}}, {"realtimeInput": {"audio": {"data": 1}}}],
)
def test_what_is_no_message_closes(document: Any):
    assert closed(say(begun(), document)) == 1007


def test_sound_that_is_no_base64_closes():
    heard = {"realtimeInput": {"audio": {"data": "!", "mimeType": "audio/pcm"}}}

    assert closed(say(begun(), heard)) == 1007


@pytest.mark.parametrize("name", ["models/gemini-2.5-flash", "gpt-4o", "ö" * 200])
def test_a_model_that_is_not_live_closes(name: str):
    assert closed(say(session(), {"setup": {"model": name}})) == 1008


@pytest.mark.parametrize("controls", [{"cached_tokens": 1}, {"web_searches": 1}, {"iterations": "advisor"}])
def test_a_control_that_would_be_ignored_closes(controls: dict[str, Any]):
    assert closed(say(session(**controls), {"setup": TEXT})) == 1008


def test_the_same_session_says_the_same_again():
    assert say(begun(frozen=True), ASKED) == say(begun(frozen=True), ASKED)


def test_it_is_spoken_over_a_websocket_and_each_turn_is_on_the_bill():
    sandbox = new_sandbox()
    socket = Socket(sandbox, f"{PATH}?key={KEY}", authorization=None, x_sandbox_tokens="3")
    socket.send({"setup": TEXT}, ASKED, ASKED)
    messages = socket.receive()

    assert messages[0] == {"setupComplete": {}}
    assert len(messages) == 1 + 2 * 5
    lines = sandbox.bill.lines()
    assert [(line["endpoint"], line["state"]) for line in lines] == [("bidi_generate_content", "completed")] * 2
    assert lines[0]["amount_nanousd"] == 3 * 500 + 3 * 2000


@pytest.mark.parametrize("version", ["v1", "v1beta", "v1alpha"])
def test_the_key_may_be_in_a_header(version: str):
    path = PATH.replace("v1beta", version)

    assert Socket(new_sandbox(), path, authorization=None, x_goog_api_key=KEY).told.status == 101
    assert Socket(new_sandbox(), path, authorization=None, x_goog_api_key="lk-x").told.status == 400
    assert Socket(new_sandbox(), path, authorization=None).told.status == 403


def test_a_session_that_is_over_is_closed_with_its_reason():
    socket = Socket(new_sandbox(), f"{PATH}?key={KEY}", authorization=None)
    socket.send(ASKED)

    assert (socket.receive(), socket.ends) == (["CLOSE"], ["close"])
    ended = socket.client.close_rcvd
    assert ended is not None
    assert (ended.code, ended.reason) == (1007, "setup must be the first message and only the first")


def test_a_failure_in_the_middle_closes_without_a_message():
    socket = Socket(new_sandbox(), f"{PATH}?key={KEY}", authorization=None, x_sandbox_error_after_chunks="2")
    socket.send({"setup": TEXT}, ASKED)

    assert socket.receive()[2:] == ["CLOSE"]
    assert socket.client.close_rcvd is not None
    assert socket.client.close_rcvd.code == 1011


def test_without_an_upgrade_there_is_no_session():
    assert ask(new_sandbox(), f"{PATH}?key={KEY}", method="GET").status == 400
    assert Socket(new_sandbox(), f"{PATH}?key={KEY}", x_sandbox_framing="length").told.status == 400
