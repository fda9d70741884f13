import msgspec
import pytest

from gateway.sandbox.bill import Tokens
from gateway.sandbox.call import Budget, Call, Fault, output_budget, prompt_tokens, read_body
from gateway.sandbox.controls import Controls
from gateway.sandbox.request import RequestReader


class Part(msgspec.Struct, forbid_unknown_fields=True):
    text: str


class Body(msgspec.Struct):
    model: str
    parts: list[Part]


def call(**controls: object) -> Call:
    (request,) = RequestReader().feed(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
    return Call(request, Controls(**controls), "openai", serial=0xAB)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("body", "kind", "field"),
    [
        (b"{", "json", ""),
        (b"\xff", "json", ""),
        (b"[]", "invalid", ""),
        (b'{"model":"m","parts":[],"tone":1}', "unknown", "tone"),
        (b'{"model":"m"}', "missing", "parts"),
        (b'{"model":1,"parts":[]}', "invalid", "model"),
        (b'{"model":"m","parts":[{}]}', "missing", "parts[0].text"),
        (b'{"model":"m","parts":[{"text":"t","x":1}]}', "unknown", "parts[0].x"),
    ],
)
def test_a_fault_names_its_kind_and_field(body: bytes, kind: str, field: str):
    fault = read_body(Body, body, frozenset(("model", "parts", "known")))

    assert isinstance(fault, Fault)
    assert (fault.kind, fault.field) == (kind, field)


def test_known_fields_that_mean_nothing_are_taken():
    assert read_body(Body, b'{"model":"m","parts":[],"known":{}}', frozenset(("model", "parts", "known"))) == Body(
        "m", []
    )


def test_ids_are_unique_unless_frozen():
    seed = bytes(range(32))

    assert call().id_hex(seed) == "0001020304050607000000ab"
    assert call(frozen=True).id_hex(seed) == "000102030405060700000000"
    assert call().request_id == call(frozen=True).request_id == call().refusal_id
    assert call(frozen=True).refusal_id == "req_" + "0" * 24


def test_prompt_buckets_are_counted_or_ordered():
    assert prompt_tokens(Controls(), 9) == Tokens(input=9)
    ordered = Controls(input_tokens=0, cached_tokens=2, cache_write_tokens=3, cache_write_1h_tokens=4)
    assert prompt_tokens(ordered, 9) == Tokens(0, 2, 3, 4)
    assert prompt_tokens(ordered, 9).prompt == 9


@pytest.mark.parametrize(
    ("tokens", "reasoning", "limit", "budget"),
    [
        (10, 5, None, Budget(5, 10, False)),
        (10, 5, 15, Budget(5, 10, False)),
        (10, 5, 14, Budget(5, 9, True)),
        (10, 5, 3, Budget(3, 0, True)),
    ],
)
def test_a_limit_counts_hidden_tokens_first(tokens: int, reasoning: int, limit: int | None, budget: Budget):
    assert output_budget(Controls(tokens=tokens, reasoning_tokens=reasoning), limit) == budget
