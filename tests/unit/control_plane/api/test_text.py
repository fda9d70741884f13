import msgspec
import pytest

from control_plane.api.text import Id, Label, LabelOrNone, ModelName, Name, UpstreamName, UpstreamNameOrAny

CASES = (
    (Name, ("A", "Jo's key", "Größe", "a" * 100), ("", " a", "a ", "a\n", "a\nb", "a\x00", "a" * 101)),
    (Label, ("jo@example.com", " "), ("", "a\n", "a\x7f", "a" * 129)),
    (LabelOrNone, ("", "search"), ("\n", "a\n", "a" * 129)),
    (ModelName, ("gpt-4o-mini", "ft:gpt:acme::1"), ("", "a\n", "a\x00b")),
    (UpstreamName, ("openai", "eu-1.vllm_2"), ("", "OpenAI", "-a", "a/b", "a\n", "a" * 65, "*")),
    (UpstreamNameOrAny, ("openai", "*"), ("", "**", "*\n")),
    (Id, ("prj_" + "0" * 26,), ("", "prj_", "prj_" + "0" * 26 + "\n", "prj_" + "\x00" * 26)),
)


@pytest.mark.parametrize(("kind", "good", "bad"), CASES)
def test_text_is_one_line_within_its_bounds(kind, good, bad):
    for text in good:
        assert msgspec.convert(text, kind) == text
    for text in bad:
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(text, kind)
