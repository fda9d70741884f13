"""Owns the Responses API over a WebSocket, OpenAI's and Azure's: an event asks, the events of a stream answer."""

from collections.abc import Iterator

import msgspec

from gateway.sandbox.bill import Tokens
from gateway.sandbox.call import Answer, Call, Said
from gateway.sandbox.openai import Json, error_of
from gateway.sandbox.openai_responses import responses
from gateway.sandbox.openai_sockets import read_event, upgrade

# Ids count calls in 32 bits; the turns of one connection get the upper eight.
_TURN_SHIFT, _TURNS = 24, 256


def connect(call: Call) -> Answer:
    return upgrade(call, ResponsesTalk(call))


class ResponsesTalk:
    """One connection: turn after turn, each billed under the id of its response."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._turns = 0

    def opening(self) -> tuple[Said, ...]:
        return ()

    def failure(self) -> bytes:
        return _error(
            500, error_of("The server had an error while processing your request", None, None, "server_error")
        )

    def hear(self, text: str) -> Iterator[Said]:
        event = read_event(text)
        if isinstance(event, str):
            yield _refusal(event, None)
            return
        kind = event.pop("type", None)
        if kind != "response.create":
            yield _refusal(f"Invalid value: '{kind}'. Supported values are: 'response.create'.", "type")
            return
        ignored = next((name for name in ("generate", "stream_id", "background") if event.get(name)), None)
        if ignored:
            yield _refusal(f"'{ignored}' is not available in the sandbox over a WebSocket.", ignored)
            return
        yield from self._answer(event)

    def _answer(self, event: Json) -> Iterator[Said]:
        answer = responses(self._turn({**event, "stream": True}))
        if answer.status != 200 or answer.charge is None:
            document = msgspec.json.decode(b"".join(piece.data for piece in answer.pieces))
            yield Said(_error(answer.status, document))
            return
        bucket = answer.charge.model.unbillable(answer.charge.prompt)
        if bucket:
            yield _refusal(f"{answer.charge.model.name} has no price for {bucket}", "invalid_sandbox_control")
            return
        charge = answer.charge
        for piece in answer.pieces:
            text = piece.data.partition(b"\ndata: ")[2].rstrip()
            document = msgspec.json.decode(text)
            opens = charge._replace(bill_id=document["response"]["id"]) if charge else None
            done = document["type"] in ("response.completed", "response.incomplete")
            yield Said(text, opens, Tokens(output=piece.output, reasoning=piece.reasoning), done)
            charge = None

    def _turn(self, body: Json) -> Call:
        """The call this would be over HTTP."""
        self._turns += 1
        serial = (self._turns % _TURNS) << _TURN_SHIFT | self._call.serial
        request = msgspec.structs.replace(self._call.request, body=msgspec.json.encode(body))
        return msgspec.structs.replace(self._call, request=request, serial=serial)


def _error(status: int, document: Json) -> bytes:
    return msgspec.json.encode({"type": "error", "status": status, **document})


def _refusal(message: str, param: str | None) -> Said:
    return Said(_error(400, error_of(message, None, param)))
