"""Owns the built-in patterns of personal data: e-mail addresses, phone and card numbers, IBANs, IP addresses.

Each pattern's repetitions are bounded and none is nested in another, so that a text of n characters takes n steps times
a constant. What only looks like a card number, an IBAN or an address is told apart by its check digits or by parsing.
"""

import ipaddress
import re
from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple, get_args

Kind = Literal["email", "iban", "card", "ip", "phone"]
# In this order: what a later one would take for a phone number is gone by then.
KINDS: tuple[Kind, ...] = get_args(Kind)

# ISO/IEC 7812 has card numbers of 13 to 19 digits today; E.164 phone numbers of at most 15.
_PHONE_DIGITS_MIN, _PHONE_DIGITS_MAX = 8, 15
# Without a country's code shorter ones are dates and versions more often than phone numbers.
_NATIONAL_DIGITS_MIN = 9
_LETTERS = ":abcdefABCDEF"
_NO_DIGITS = re.compile(r"\D+")


class _Detector(NamedTuple):
    """`hint` must be in a text that has any; `is_one` looks closer at what the pattern found."""

    pattern: re.Pattern[str]
    is_one: Callable[[str], bool]
    hint: re.Pattern[str]


def redacted(text: str, kinds: frozenset[Kind]) -> str:
    """The text with `[email]`, `[card]` … in the place of what was found."""
    for kind in KINDS:
        detector = _DETECTORS[kind]
        if kind in kinds and detector.hint.search(text):
            text = detector.pattern.sub(_replacing(kind, detector.is_one), text)
    return text


def _replacing(kind: str, is_one: Callable[[str], bool]) -> Callable[[re.Match[str]], str]:
    return lambda found: f"[{kind}]" if is_one(found[0]) else found[0]


def _luhn(text: str) -> bool:
    """ISO/IEC 7812-1, annex B."""
    digits = [int(digit) for digit in reversed(_NO_DIGITS.sub("", text))]
    doubled = (sum(divmod(2 * digit, 10)) for digit in digits[1::2])
    return 13 <= len(digits) <= 19 and (sum(digits[::2]) + sum(doubled)) % 10 == 0


def _mod_97(text: str) -> bool:
    """ISO 13616: the first four characters at the end, letters as numbers from 10, modulo 97 is 1."""
    plain = text.replace(" ", "")
    return 15 <= len(plain) <= 34 and int("".join(str(int(one, 36)) for one in plain[4:] + plain[:4])) % 97 == 1


def _is_address(text: str) -> bool:
    if text.strip(_LETTERS) == "":
        return False  # `a::b` could be one, and is a name in some programming language
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_phone(text: str) -> bool:
    digits = len(_NO_DIGITS.sub("", text))
    return (_PHONE_DIGITS_MIN if text.startswith("+") else _NATIONAL_DIGITS_MIN) <= digits <= _PHONE_DIGITS_MAX


_DIGITS = re.compile(r"\d{2}")
_DETECTORS: Mapping[Kind, _Detector] = {
    "email": _Detector(
        re.compile(r"[\w.%+'-]{1,64}@[A-Za-z0-9\u0080-\uffff-]{1,63}(?:\.[A-Za-z0-9\u0080-\uffff-]{1,63}){1,8}"),
        bool,
        re.compile("@"),
    ),
    "iban": _Detector(
        re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?![A-Za-z0-9])"),
        _mod_97,
        re.compile(r"[A-Z]{2}\d{2}"),
    ),
    "card": _Detector(re.compile(r"(?<![\w.])\d(?:[ -]?\d){12,18}(?![\w])"), _luhn, _DIGITS),
    # Version 4, and version 6, which may end like one of version 4.
    "ip": _Detector(
        re.compile(
            r"(?<![\w.:])(?:(?:\d{1,3}\.){3}\d{1,3}(?!\w|\.\d)"
            r"|(?=[0-9A-Fa-f]{0,4}:)[0-9A-Fa-f:]{2,39}(?:(?:\d{1,3}\.){3}\d{1,3})?(?![\w:]|\.\d))"
        ),
        _is_address,
        re.compile(r"\d\.\d|:[0-9A-Fa-f]{0,4}:"),
    ),
    "phone": _Detector(
        re.compile(
            # A country's code, or at least two parts: a run of digits alone is some number or other.
            r"(?<![\w+.-])(?:\+\d(?:[ ()./-]{0,2}\d){6,14}"
            r"|\(?\d{2,5}\)?[ ./-]{1,3}\d{2,8}(?:[ ./-]\d{2,8}){0,3})(?![\w])"
        ),
        _is_phone,
        _DIGITS,
    ),
}
