import json

from control_plane.cli.reconcile import main
from tests.support.written_calls import ORG, call, land, used

START_S = 1_790_812_800
NOW_S = START_S + 30 * 86_400


def page(tokens: int) -> str:
    result = {
        "object": "organization.usage.completions.result", "input_tokens": tokens, "num_model_requests": 1,
        "model": "gpt-4o-2024-08-06",
    }  # fmt: skip
    return json.dumps({"data": [{"start_time": START_S, "end_time": START_S + 86_400, "results": [result]}]})


def run(tmp_path, tokens: int, *words: str) -> int:
    lake = land(tmp_path / "lake", [call("a", START_S + 5, cost_nanousd=5, **used(input_text=1000))])
    file = tmp_path / "usage.json"
    file.write_text(page(tokens))
    return main([f"openai_usage={file}", "--lake", lake, "--org", ORG, *words], {}, NOW_S)


def test_what_is_the_same_is_no_alarm(tmp_path, capsys):
    assert run(tmp_path, 1000) == 0
    assert "nothing differs" in capsys.readouterr().out


def test_traffic_that_went_around_is_one(tmp_path, capsys):
    assert run(tmp_path, 1500) == 1
    assert "gpt-4o input: ours 1000, theirs 1500, delta 500 +-0: bypass_suspected" in capsys.readouterr().out
    assert run(tmp_path, 1500, "--form", "csv") == 1
    assert ",gpt-4o,input,1000,1500,500,0,bypass_suspected," in capsys.readouterr().out
    assert run(tmp_path, 900, "--form", "json") == 1
    assert json.loads(capsys.readouterr().out)["verdicts"]["overcounted"] == 1


def test_what_cannot_be_used_is_said(tmp_path, capsys):
    file = tmp_path / "usage.json"
    file.write_text("{}")
    known = f"openai_usage={file}"
    for words in ([known], ["openai_usage=none"], [f"bananas={file}"], ["openai_usage"], [known, known]):
        assert main([*words, "--lake", str(tmp_path)], {}, NOW_S) == 2, words
        assert capsys.readouterr().err.startswith("lensai reconcile: ")
