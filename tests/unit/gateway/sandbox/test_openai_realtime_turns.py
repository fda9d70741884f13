from gateway.sandbox.bill import MODELS, Tokens
from gateway.sandbox.call import Budget
from gateway.sandbox.controls import Controls
from gateway.sandbox.openai_realtime_turns import (
    Turn,
    count_items,
    member,
    merge,
    new_session,
    object_of,
    shown,
    transcriber,
    transcript_tokens,
)

# Fifty milliseconds in base64.
AUDIO = "A" * 3200


def test_input_is_counted_by_modality():
    content = [
        {"type": "input_text", "text": "eightish"},
        {"type": "input_image", "image_url": "data:"},
        {"type": "input_audio", "audio": AUDIO},
        {"type": "input_audio", "audio_ms": 260, "transcript": None},
    ]
    called = {"type": "function_call_output", "output": "four"}

    counted = count_items(Controls(cached_audio_tokens=7), [{"content": content}, called], "Be brief.")
    assert counted == Tokens(input=2 + 1 + 3, input_audio=4, input_image=323, cache_read_audio=7)


def test_usage_names_what_was_cached_and_what_was_spoken():
    prompt = Tokens(input=1, input_audio=20, input_image=300, cache_read=4, cache_read_audio=50, cache_read_image=600)
    turn = Turn("r", "i", b"", prompt, Budget(0, 5, False), "audio", True, None, None, words=5)

    assert turn.usage() == {
        "total_tokens": 975 + 15,
        "input_tokens": 975,
        "output_tokens": 15,
        "input_token_details": {
            "text_tokens": 5,
            "audio_tokens": 70,
            "image_tokens": 900,
            "cached_tokens": 654,
            "cached_tokens_details": {"text_tokens": 4, "audio_tokens": 50, "image_tokens": 600},
        },
        "output_token_details": {"text_tokens": 5, "audio_tokens": 10},
    }
    assert (turn.status, turn.details()) == ("completed", None)


def test_settings_are_changed_member_by_member():
    session = new_session("sess_a", MODELS["gpt-realtime"], 0)
    asked = {"audio": {"input": {"transcription": {"model": "whisper-1"}, "turn_detection": None}}}
    changed = merge(session, asked)

    assert member(changed, "audio", "input", "format", "rate") == 24_000
    assert member(changed, "audio", "input", "turn_detection") is None
    assert member(changed, "audio", "nothing", "rate") is None
    assert (transcriber(session), transcriber(changed)) == (None, MODELS["whisper-1"])


def test_a_transcript_is_paid_by_the_second_or_by_the_token():
    by_second = transcript_tokens(MODELS["whisper-1"], 1010, 0)
    tokens, usage = transcript_tokens(MODELS["gpt-4o-transcribe"], 1010, 4)

    assert by_second == (Tokens(input_audio_ms=2000), {"type": "duration", "seconds": 2})
    assert (tokens, usage["total_tokens"]) == (Tokens(input_audio=11), 15)


def test_sound_is_not_sent_back():
    item = {"id": "a", "content": [{"type": "input_audio", "audio": AUDIO, "audio_ms": 5, "transcript": None}]}

    assert shown(item) == {"id": "a", "content": [{"type": "input_audio", "transcript": None}]}
    assert shown({"id": "b"}) == {"id": "b"}
    assert (object_of({"a": 1}), object_of([1])) == ({"a": 1}, {})
