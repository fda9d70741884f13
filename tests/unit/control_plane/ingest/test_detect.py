import time

import pytest

from control_plane.ingest.detect import KINDS, redacted

ALL = frozenset(KINDS)


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("write ada@example.com.", "write [email]."),
        ("mailto:Ada.O'Neil+x@mail.example.co.uk", "mailto:[email]"),
        ("jürgen@bücher.example", "[email]"),
        ("card 4111 1111 1111 1111 now", "card [card] now"),
        ("4111-1111-1111-1111", "[card]"),
        ("378282246310005", "[card]"),
        ("IBAN DE89 3704 0044 0532 0130 00", "IBAN [iban]"),
        ("GB82WEST12345698765432", "[iban]"),
        ("NO9386011117947", "[iban]"),
        ("from 192.168.100.200:443", "from [ip]:443"),
        ("2001:db8::ff00:42:8329", "[ip]"),
        ("::1", "[ip]"),
        ("::ffff:10.0.0.1", "[ip]"),
        ("call +49 (0)170 123-4567", "call [phone]"),
        ("+14155550132", "[phone]"),
        ("(415) 555-0132", "[phone]"),
        ("415-555-0132", "[phone]"),
        ("030 / 90 18 20 00", "[phone]"),
    ],
)
def test_personal_data_is_found(text, clean):
    assert redacted(text, ALL) == clean


@pytest.mark.parametrize(
    "text",
    [
        "", "hello", "user_42", "a@b", "@mention", "x @ y.z", "4111 1111 1111 1112", "1234567890123456", "1790000000",
        "DE89 3704 0044 0532 0130 02", "1.2.3", "300.1.1.1", "10.0.0.1.5", "std::vector", "12:30:45", "a::b", "::",
        "2026-11-26", "2026-11-26T05:45:26.123456Z", "12/2026", "v1.20.300", "req_01jd8k4m2n", "3.14159265358979",
        "550e8400-e29b-41d4-a716-446655440000", "gpt-4o-2024-08-06", "claude-sonnet-4-5-20250929",
    ],
)  # fmt: skip
def test_what_only_looks_like_it_stays(text):
    assert redacted(text, ALL) == text


def test_only_what_was_asked_for_is_looked_for():
    assert redacted("ada@example.com 10.0.0.1", frozenset({"ip"})) == "ada@example.com [ip]"


@pytest.mark.parametrize(
    "unit", ["a", "1", "1 ", "1-", "1.", "a@", "a.", "@a.", "A1", "DE89 ", ":", "f:", "+1", "(1", "1) ", "+1 ( "]
)
def test_no_text_takes_more_than_time_in_proportion_to_it(unit):
    """The shapes that make patterns backtrack; eight times the text, and no more than thirty times as long."""

    def cpu_s(length):
        text = unit * (length // len(unit))
        began = time.process_time()
        redacted(text, ALL)
        return time.process_time() - began

    short, long = min(cpu_s(4_000) for _ in range(3)), min(cpu_s(32_000) for _ in range(2))
    assert long < max(30 * short, 0.05)
