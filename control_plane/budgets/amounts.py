"""Owns amounts at the API's edge: dollars as text for usd, a whole number for every other unit. Pure."""

from control_plane.api.money import nanousd, usd
from control_plane.api.problems import invalid
from gateway.contract.policy import Unit


def shown(unit: Unit, amount: int) -> str | int:
    """Such as "12.50" for usd, 12 for requests."""
    return usd(amount) if unit == "usd" else amount


def shown_or_none(unit: Unit, amount: int | None) -> str | int | None:
    return None if amount is None else shown(unit, amount)


def dollars_or_none(text: str | int | float | None, pointer: str) -> int | None:
    """Nano-USD. Raises Problem 400."""
    return None if text is None else nanousd(text, pointer)


def dollars_shown(amount_nanousd: int | None) -> str | None:
    return None if amount_nanousd is None else usd(amount_nanousd)


def read(unit: Unit, said: str | int | float | None, pointer: str) -> int | None:
    """Nano-USD for usd, else a count; its bounds are the gateway's to check. Raises Problem 400."""
    if said is None or unit == "usd":
        return dollars_or_none(said, pointer)
    if not isinstance(said, int):
        raise invalid(pointer, f"{unit} are counted: write a whole number, or null for no limit")
    return said
