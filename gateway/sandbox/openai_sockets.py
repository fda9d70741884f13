"""Owns what OpenAI's WebSockets share: who may upgrade, the subprotocol that is agreed to, and error events."""

import msgspec

from gateway.sandbox.call import Answer, Call, Talk
from gateway.sandbox.controls import misused_on_socket
from gateway.sandbox.openai import refuse, refuse_control
from gateway.sandbox.websocket import offered_protocols, refuse_handshake

# Besides it a browser offers its key: https://platform.openai.com/docs/guides/realtime-websocket
PROTOCOL = "realtime"


def upgrade(call: Call, talk: Talk) -> Answer:
    """The 101, or why there is none."""
    problem = refuse_handshake(call.request)
    if problem:
        return refuse(400, f"Invalid WebSocket handshake: {problem}.")
    misused = misused_on_socket(call.request.headers)
    if misused:
        return refuse_control(call, misused)
    agreed = (("sec-websocket-protocol", PROTOCOL),) if PROTOCOL in offered_protocols(call.request) else ()
    return Answer(101, (), headers=agreed, talk=talk)


def read_event(text: str) -> dict[str, object] | str:
    """A client's event, or what is wrong with it."""
    try:
        return msgspec.json.decode(text, type=dict[str, object])
    except msgspec.ValidationError:
        return "An event must be a JSON object."
    except msgspec.DecodeError:
        return "We could not parse the JSON body of your request."
