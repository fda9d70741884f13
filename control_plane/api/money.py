"""Owns dollars at the API's edge: a decimal in text or a JSON number outside, integer nano-USD inside."""

from decimal import Decimal, DecimalException

from control_plane.api.problems import invalid

NANO = 10**9
# Counters are exact up to here: 2**53 nano-USD.
NANOUSD_MAX = 2**53


def nanousd(text: str | int | float, pointer: str) -> int:
    """The nano-USD of an amount that is not negative. Raises Problem 400."""
    try:
        amount = Decimal(str(text))
        scaled = amount * NANO if amount.is_finite() else Decimal(-1)
    except DecimalException:
        raise invalid(pointer, 'write an amount of dollars, such as "100" or "0.25"') from None
    if scaled != scaled.to_integral_value() or not 0 <= scaled <= NANOUSD_MAX:
        raise invalid(pointer, f"write dollars from 0 to {NANOUSD_MAX // NANO}, with at most nine decimals")
    return int(scaled)


def usd(amount_nanousd: int) -> str:
    """Such as "100.00" or "0.000000125": at least two decimals, and no more than are needed."""
    whole, nano = divmod(abs(amount_nanousd), NANO)
    fraction = f"{nano:09d}".rstrip("0").ljust(2, "0")
    return f"{'-' if amount_nanousd < 0 else ''}{whole}.{fraction}"
