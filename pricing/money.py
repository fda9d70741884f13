"""Owns money: integer nano-USD amounts and the only rounding in the project.

Rates are integers too, in atto-USD (1e-18 USD) per unit, so that every list price published in
USD per million tokens is exact: $0.0375 per million is 37_500_000_000 atto-USD a token. The few
that do not divide (an hourly price counted in milliseconds) are Fractions, and just as exact.
"""

from decimal import Decimal
from fractions import Fraction

# An exact amount or rate in atto-USD.
AttoUSD = int | Fraction

NANOUSD_PER_USD = 10**9
ATTOUSD_PER_NANOUSD = 10**9
ATTOUSD_PER_USD = 10**18


def round_attousd(amount_attousd: AttoUSD) -> int:
    """Nano-USD for an exact atto-USD sum, rounded half to even. Called once per request, at settlement."""
    quotient, remainder = divmod(amount_attousd, ATTOUSD_PER_NANOUSD)
    twice = remainder * 2
    if twice > ATTOUSD_PER_NANOUSD or (twice == ATTOUSD_PER_NANOUSD and quotient & 1):
        quotient += 1
    return quotient


def ceil_attousd(amount_attousd: AttoUSD) -> int:
    """Nano-USD for an exact atto-USD amount, rounded up: for bounds, which what is paid must never exceed."""
    return -(-amount_attousd // ATTOUSD_PER_NANOUSD)


def usd(amount_nanousd: int) -> Decimal:
    """The same amount in USD, exactly: nine decimals, as Parquet's decimal(18,9) holds it."""
    return Decimal(amount_nanousd).scaleb(-9)


def nanousd(amount_usd: Decimal) -> int:
    """Nano-USD for a USD amount. Raises ValueError for NaN, infinity or more than nine decimals."""
    if not amount_usd.is_finite():
        raise ValueError(f"not an amount of money: {amount_usd}")
    scaled = amount_usd.scaleb(9)
    if scaled != scaled.to_integral_value():
        raise ValueError(f"{amount_usd} USD has a fraction of a nano-USD")
    return int(scaled)
