"""Which model a session is for, and which messages a key that is limited to some models may send."""

import pytest

from gateway.examine_socket import Named, examine_handshake, judge_message, named_models
from gateway.faults import Refusal
from gateway.wire.jsontext import NotJson
from tests.support.data_plane import upstreams_at
from tests.support.sockets import ask
from tests.support.stages import caller_of, request_from, route_of, view_of

RESPONSES, REALTIME, LIVE = "openai.responses_socket", "openai.realtime", "gemini.live"
BIDI = "/gemini/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"


def examined(path: str, key: str = ""):
    view = view_of(upstreams_at(1, "openai", "gemini", "azure").replace("[upstreams.azure]", AZURE), key)
    request = request_from(ask(path))
    return examine_handshake(caller_of(request, view), route_of(request, view))


AZURE = '[upstreams.azure]\nprovider = "azure"'


@pytest.mark.parametrize(
    ("path", "model"),
    [
        ("/v1/realtime?model=gpt-realtime", "gpt-realtime"),
        ("/v1/realtime?model=gpt%2Drealtime&x=1", "gpt-realtime"),
        ("/v1/realtime?intent=transcription", ""),
        ("/azure/openai/realtime?api-version=1&deployment=mine", "mine"),
        ("/azure/openai/v1/realtime?model=mine", "mine"),
        ("/v1/responses?model=not-there", ""),
        (BIDI, ""),
    ],
)
def test_a_realtime_session_names_its_model_in_the_query(path, model):
    call = examined(path)
    assert (call.model, call.stream, call.body) == (model, True, b"")


def test_a_key_s_models_hold_for_a_handshake():
    limited = 'models = ["gpt-realtime"]'
    assert examined("/v1/realtime?model=gpt-realtime", limited).model == "gpt-realtime"
    assert examined("/v1/responses", limited).model == ""
    for query in ("?model=another", "?intent=transcription", "", "?model=gpt-realtime;model=another"):
        assert examined("/v1/realtime" + query, limited).code == "key_scope"


def test_a_model_is_named_once():
    refused = examined("/v1/realtime?model=a&deployment=a")
    assert isinstance(refused, Refusal)
    assert refused.code == "malformed_request"


@pytest.mark.parametrize(
    ("reader", "message", "named"),
    [
        (RESPONSES, b'{"type":"response.create","model":"a"}', Named("a", ("a",))),
        (RESPONSES, b'{"model":"a","input":"model","x":{"model":"b"}}', Named("a", ("a",))),
        (RESPONSES, rb'{"mod\u0065l":"\u0061"}', Named("a", ("a",))),
        (RESPONSES, b'{"model":null}', Named()),
        (RESPONSES, b'{"model":"a","tools":[{"model":"w"},"model",{"type":"function"}]}', Named("a", ("a", "w"))),
        (REALTIME, b'{"type":"input_audio_buffer.append","audio":"AAAA"}', Named()),
        (REALTIME, b'{"session":{"audio":{"input":{"transcription":{"model":"w"}}}}}', Named("", ("w",))),
        (REALTIME, b'{"session":{"model":"a","input_audio_transcription":{"model":"w"}}}', Named("a", ("a", "w"))),
        (LIVE, b'{"setup":{"model":"models/gemini-live"}}', Named("gemini-live", ("gemini-live",))),
        (LIVE, b'{"setup":{"model":"projects/p/locations/l/publishers/google/models/g"}}', Named("g", ("g",))),
        (LIVE, b'{"realtimeInput":{"text":"a model"}}', Named()),
        ("another", b'{"model":"a"}', Named()),
    ],
)
def test_the_models_a_message_names_are_found(reader, message, named):
    assert named_models(reader, message) == named


def test_of_a_model_s_name_no_more_is_kept_than_a_record_holds():
    assert named_models("gemini.live", b'{"setup":{"model":"%b"}}' % (b"m" * 3000)).model == "m" * 2048


def test_a_message_that_might_name_a_model_and_is_no_json_is_not_guessed_at():
    for message in (b'{"model":"a"', b'["model"]', b'"model"', b"\xef\xbb\xbf" + b'{"model":"a"}'):
        with pytest.raises(NotJson):
            named_models(RESPONSES, message)


@pytest.mark.parametrize(
    ("reader", "message", "code"),
    [
        (RESPONSES, b'{"type":"response.create","model":"a"}', ""),
        (RESPONSES, b'{"type":"response.cancel"}', ""),
        (RESPONSES, b'{"type":"response.create","model":"b"}', "key_scope"),
        # Whichever of the two the provider takes.
        (RESPONSES, b'{"type":"response.create","model":"a","model":"b"}', "key_scope"),
        (RESPONSES, b'{"type":"response.create","model":"b","model":"a"}', "key_scope"),
        # Without one the provider would take its own.
        (RESPONSES, b'{"type":"response.create"}', "key_scope"),
        (RESPONSES, rb'{"type":"response.cr\u0065ate"}', "key_scope"),
        (RESPONSES, b'{"type":"x","type":"response.create"}', "key_scope"),
        (RESPONSES, b'{"type":"response.create","tools":[{"model":"a"}]}', "key_scope"),
        (
            RESPONSES,
            b'{"type":"response.create","model":"a","tools":[{"type":"image_generation","model":"b"}]}',
            "key_scope",
        ),
        (RESPONSES, b"no json", "malformed_body"),
        (REALTIME, b'{"type":"response.create"}', ""),
        (REALTIME, b'{"session":{"audio":{"input":{"transcription":{"model":"w"}}}}}', "key_scope"),
        (LIVE, b'{"setup":{"model":"models/a"}}', ""),
        (LIVE, b'{"setup":{"model":"models/b"}}', "key_scope"),
    ],
)
def test_a_key_s_models_hold_for_every_message(reader, message, code):
    refusal = judge_message(reader, ("a",), message)
    assert (refusal.code if refusal else "") == code
