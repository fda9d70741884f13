import base64
import json
from typing import Any

import pytest

from gateway.sandbox.bill import MODELS, Tokens
from gateway.sandbox.call import Call
from gateway.sandbox.controls import Controls
from gateway.sandbox.gemini_live import PATH, Billed, Closed, LiveSession, Outcome, Sent
from gateway.sandbox.request import RequestReader

MODEL = "models/gemini-live-2.5-flash"
TEXT = {"model": MODEL, "generationConfig": {"responseModalities": ["TEXT"]}}
ASKED = {"clientContent": {"turns": [{"role": "user", "parts": [{"text": "eightish"}]}], "turnComplete": True}}


def session(**controls: Any) -> LiveSession:
    (upgrade,) = RequestReader().feed(f"GET {PATH}?key=sandbox-key HTTP/1.1\r\nhost: a\r\n\r\n".encode())
    return LiveSession(Call(upgrade, Controls(**controls), "gemini", serial=7))


def say(live: LiveSession, document: Any) -> list[Outcome]:
    return list(live.receive(document if isinstance(document, bytes) else json.dumps(document).encode()))


def told(outcomes: list[Outcome]) -> list[Any]:
    return [json.loads(outcome.data) for outcome in outcomes if isinstance(outcome, Sent)]


def begun(setup: Any = TEXT, **controls: Any) -> LiveSession:
    live = session(**controls)
    assert told(say(live, {"setup": setup})) == [{"setupComplete": {}}]
    return live


def closed(outcomes: list[Outcome]) -> Closed:
    (outcome,) = outcomes
    assert isinstance(outcome, Closed)
    return outcome


def test_a_turn_is_billed_and_answered_with_its_usage_last():
    outcomes = say(begun(tokens=3, cached_tokens=0, reasoning_tokens=4), ASKED)

    assert isinstance(outcomes[0], Billed)
    messages = told(outcomes)
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
    outcomes = say(begun(tokens=3, chunk_tokens=2, reasoning_tokens=4), ASKED)

    sent = [(outcome.output, outcome.reasoning) for outcome in outcomes if isinstance(outcome, Sent)]
    assert sent == [(2, 4), (1, 0), (0, 0), (0, 0)]


def test_every_turn_reads_all_that_was_said_before():
    live = begun(tokens=2)
    first, second = say(live, ASKED), say(live, ASKED)

    assert isinstance(first[0], Billed)
    assert isinstance(second[0], Billed)
    assert (first[0].charge.prompt.input, second[0].charge.prompt.input) == (3, 3 + 2 + 2)
    assert (first[0].charge.bill_id[-2:], second[0].charge.bill_id[-2:]) == ("-1", "-2")


def test_a_turn_may_come_in_parts():
    live = begun()
    part = {"clientContent": {"turns": [{"parts": [{"text": "eightish"}]}]}}

    assert say(live, part) == []
    (billed, *_) = say(live, ASKED)
    assert isinstance(billed, Billed)
    assert billed.charge.prompt.input == 5


def test_sound_is_heard_and_spoken_at_its_own_price():
    live = begun({"model": MODEL, "outputAudioTranscription": {}}, tokens=2)
    sound = base64.b64encode(bytes(32_000)).decode()
    heard = {"realtimeInput": {"audio": {"data": sound, "mimeType": "audio/pcm;rate=16000"}}}

    assert say(live, heard) == []
    billed, *sent = say(live, {"realtimeInput": {"audioStreamEnd": True}})
    assert isinstance(billed, Billed)
    assert billed.charge.prompt == Tokens(input=1, input_audio=32)
    messages = told(sent)
    blob = messages[0]["serverContent"]["modelTurn"]["parts"][0]["inlineData"]
    assert (blob["mimeType"], len(base64.b64decode(blob["data"]))) == ("audio/pcm;rate=24000", 1500)
    assert messages[1]["serverContent"]["outputTranscription"]["text"]
    usage = messages[-1]["usageMetadata"]
    assert usage["promptTokensDetails"] == [
        {"modality": "TEXT", "tokenCount": 1},
        {"modality": "AUDIO", "tokenCount": 32},
    ]
    assert usage["responseTokensDetails"] == [{"modality": "AUDIO", "tokenCount": 2}]
    assert sum(outcome.output_audio for outcome in sent if isinstance(outcome, Sent)) == 2
    amount = MODELS["gemini-live-2.5-flash"].amount_nanousd(Tokens(input=1, input_audio=32, output_audio=2))
    assert amount == 500 + 32 * 3000 + 2 * 12000


@pytest.mark.parametrize(
    "ending", [{"realtimeInput": {"text": "hello"}}, {"realtime_input": {"activity_end": {}}}, {"toolResponse": {}}]
)
def test_other_things_end_a_turn_too(ending: Any):
    assert isinstance(say(begun(), ending)[0], Billed)


def test_a_limit_holds_for_a_turn():
    setup = {"model": MODEL, "generationConfig": {"responseModalities": ["TEXT"], "maxOutputTokens": 2}}

    assert told(say(begun(setup), ASKED))[-1]["usageMetadata"]["responseTokenCount"] == 2


def test_the_first_message_and_only_the_first_is_the_setup():
    assert closed(say(session(), ASKED)).status == 1007
    assert closed(say(begun(), {"setup": TEXT})).status == 1007


@pytest.mark.parametrize(
    "document",
    [b"{", {"other": {}}, {}, {"clientContent": {"text": "x"}}, {"realtimeInput": {"audio": {"data": 1}}}],
)
def test_what_is_no_message_closes(document: Any):
    assert closed(say(begun(), document)).status == 1007


def test_sound_that_is_no_base64_closes():
    heard = {"realtimeInput": {"audio": {"data": "!", "mimeType": "audio/pcm"}}}

    assert closed(say(begun(), heard)) == Closed(1007, "realtimeInput.audio.data is not base64")


@pytest.mark.parametrize("name", ["models/gemini-2.5-flash", "gpt-4o"])
def test_a_model_that_is_not_live_closes(name: str):
    assert closed(say(session(), {"setup": {"model": name}})).status == 1008


@pytest.mark.parametrize(
    "controls", [{"cached_tokens": 1}, {"web_searches": 1}, {"iterations": "advisor"}, {"error_after_chunks": 1}]
)
def test_a_control_that_would_be_ignored_closes(controls: dict[str, Any]):
    assert closed(say(session(**controls), {"setup": TEXT})).status == 1008


def test_the_same_session_says_the_same_again():
    assert say(begun(frozen=True), ASKED) == say(begun(frozen=True), ASKED)
