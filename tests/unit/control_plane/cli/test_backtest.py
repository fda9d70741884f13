import json

from control_plane.cli.backtest import main
from tests.support.written_calls import ORG, call, land

NOW_S = 1_795_600_000


def run(*words: str) -> int:
    return main(words, {}, NOW_S)


def test_a_limit_is_held_against_a_lake(tmp_path, capsys):
    lake = land(tmp_path, [call(f"{n}", NOW_S - 9 + n, cost_nanousd=10**9, user_id=f"u{n}") for n in range(3)])
    assert run("--lake", lake, "--org", ORG, "--limit", "2") == 0
    assert "refused: 1 calls of 1 users and 0 keys, 1.00 USD" in capsys.readouterr().out
    words = ["--lake", lake, "--org", ORG, "--unit", "requests", "--limit", "0", "--scope", "user=u1", "--json"]
    assert run(*words) == 0
    assert json.loads(capsys.readouterr().out)["refused_calls"] == 1


def test_prices_are_a_file(tmp_path, capsys):
    lake = land(tmp_path, [call("a", NOW_S - 9, cost_nanousd=5, tokens_in=10, buckets={"input_text": 10**6})])
    prices = tmp_path / "prices.json"
    prices.write_text('[{"upstream": "*", "model": "gpt-4o", "rates": {"input_text": "9"}}]')
    assert run("--lake", lake, "--org", ORG, "--prices", str(prices)) == 0
    assert "spent 9.00 USD" in capsys.readouterr().out


def test_what_cannot_be_used_is_said(tmp_path, capsys):
    for words in (
        ["--unit", "bananas"], ["--limit", "x"], ["--scope", "user"], ["--from", "soon"], ["--time-zone", "Mars"],
        ["--prices", str(tmp_path / "none")], ["--unit", "requests", "--limit", "1.5"],
    ):  # fmt: skip
        assert run("--lake", str(tmp_path), *words) == 2, words
        assert capsys.readouterr().err.startswith("lensai backtest: ")
