from typing import Any

from gateway.cli.demo_verdict import Line, Tokens, Verdict, judge
from gateway.contract.record import Record

MODEL = "gpt-4o-mini-2024-07-18"


def recorded(mark: str, **changes: Any) -> Record:
    fields: dict[str, Any] = {"tokens_in": 12, "tokens_out": 5, "cost_nanousd": 4_200, "model": MODEL}
    return Record(request_id=mark, ts_ns=0, tags=(mark,), outcome="ok", **(fields | changes))


def billed(mark: str, **changes: int) -> Line:
    counts = {"input": 8, "cache_read": 4, "output": 3, "reasoning": 2} | changes
    return Line(mark, MODEL, Tokens(**counts), 4_200)


def free(mark: str) -> Record:
    return recorded(mark, tokens_in=None, tokens_out=None, cost_nanousd=0)


def test_both_sides_agree() -> None:
    verdict = judge(["a", "b", "c"], [recorded("a"), recorded("b"), free("c")], [billed("b"), billed("a")])

    assert verdict.differences == []
    assert verdict.whole == verdict.models[MODEL]
    assert (verdict.whole.calls, verdict.whole.tokens_in, verdict.whole.cost_nanousd) == (2, 24, 8_400)
    assert verdict.whole.equal


def only(verdict: Verdict) -> str:
    (difference,) = verdict.differences
    return difference


def test_a_token_too_many_is_a_difference() -> None:
    verdict = judge(["a"], [recorded("a", tokens_in=13)], [billed("a")])

    assert only(verdict) == f"a ({MODEL}): tokens in 13, billed 12"
    assert not verdict.whole.equal


def test_differences_that_cancel_out_in_the_sum_are_differences_all_the_same() -> None:
    records = [recorded("a", tokens_out=6), recorded("b", tokens_out=4)]
    verdict = judge(["a", "b"], records, [billed("a"), billed("b")])

    assert verdict.whole.equal
    assert len(verdict.differences) == 2


def test_unknown_is_not_what_was_billed() -> None:
    verdict = judge(["a"], [recorded("a", cost_nanousd=None)], [billed("a")])

    assert only(verdict) == f"a ({MODEL}): nano-USD unknown, billed 4,200"


def test_a_lost_call_is_told() -> None:
    assert only(judge(["a"], [], [])) == "a was not recorded"
    assert judge(["a"], [], [billed("a")]).differences == [
        "a was not recorded",
        "a is on the bill and was not recorded",
    ]


def test_a_call_recorded_twice_is_told() -> None:
    assert only(judge(["a"], [recorded("a"), recorded("a")], [billed("a")])) == "a was recorded twice"


def test_a_cost_that_nobody_billed_is_told() -> None:
    assert only(judge(["a"], [recorded("a")], [])) == "a was recorded with a cost and is not on the bill"
