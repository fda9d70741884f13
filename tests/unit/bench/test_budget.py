import pytest

from bench.budget import Run, Spent, main, markdown

_KEPT = Spent("gateway", 10**9, 999_000_000, 813, {200: 813, 402: 800})
_OVER = Spent("other", 10**9, 1_224_000_000, 996, {200: 996, 429: 799, 500: 1, 0: 2})


def test_what_the_provider_billed_beyond_the_limit_is_overspent() -> None:
    assert (_KEPT.overspent_nanousd, _OVER.overspent_nanousd) == (0, 224_000_000)
    text = markdown(Run("2026-01-01", {"cores": "2"}, 200, [_KEPT, _OVER]))
    assert "| gateway | 1.0000 | 0.9990 | 813 | 800 | **0.0000** | 0.0 |" in text
    assert "| other | 1.0000 | 1.2240 | 996 | 800 | **0.2240** | 22.4 |" in text


def test_a_call_that_broke_is_neither_let_through_nor_refused_and_is_told_of() -> None:
    assert (_OVER.let_through, _OVER.refused) == (996, 800)
    text = markdown(Run("2026-01-01", {}, 200, [_KEPT, _OVER]))
    assert "2 calls through other broke" in text
    assert "through gateway broke" not in text


def test_help_names_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    page = capsys.readouterr().out
    for option in ("--callers", "--limit-usd", "--peers", "--litellm"):
        assert option in page
