from typing import Annotated, Literal

import msgspec
import pytest
from msgspec import Meta

from gateway.declared import MIB, Declared, says


class Oven(msgspec.Struct):
    heat: Annotated[int, Meta(ge=0, le=300), says("Degrees.")] = 180
    mode: Annotated[Literal["fan", "grill"], says("How it heats.")] = "fan"
    name: Annotated[str, says("What it is called.")] = ""
    tray_bytes_max: Annotated[int, Meta(ge=1, le=1 << 30), says("Size of a tray.")] = 2 * MIB


OVEN = Declared(Oven)


@pytest.mark.parametrize(
    ("name", "value", "prefix", "problem"),
    [
        ("heat", "200", "OVEN_", ""),
        ("heat", 200, "", ""),
        ("heat", "200", "", "'200' is not a whole number from 0 to 300"),
        ("heat", "400", "OVEN_", "'400' is not a whole number from 0 to 300"),
        ("mode", "steam", "OVEN_", "'steam' is not one of fan, grill; set one, or remove it for the default 'fan'"),
        ("haet", "1", "OVEN_", "no setting is called that; the nearest is OVEN_HEAT"),
        ("haet", 1, "", "no setting is called that; the nearest is heat"),
    ],
)
def test_a_problem_says_what_to_do(name, value, prefix, problem):
    assert OVEN.problem(name, value, prefix=prefix).startswith(problem)
    assert bool(OVEN.problem(name, value, prefix=prefix)) == bool(problem)


def test_text_from_the_environment_is_converted():
    assert OVEN.convert("heat", "90") == 90


def test_the_table_says_default_bounds_and_sentence():
    assert OVEN.rows().splitlines() == [
        "| `heat` | `180` | a whole number from 0 to 300 | Degrees. |",
        "| `mode` | `fan` | one of fan, grill | How it heats. |",
        "| `name` | empty | text | What it is called. |",
        "| `tray_bytes_max` | `2097152` (2 MiB) | a whole number from 1 to 1073741824 | Size of a tray. |",
    ]
