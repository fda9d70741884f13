"""Owns `lensai explain`: why one call was refused, or what it was charged, bucket by bucket.

Reads what the call left behind: the journals of this machine's workers, then the landed files of its lake. The rates
are those of the prices known here; where they are not those of the record, or lead to another cost, it says so.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import TextIO

import msgspec
from msgspec.structs import astuple

from gateway.cli.columns import printable
from gateway.contract.counter_names import shown
from gateway.contract.policy import Policy, Unit, decode_policy
from gateway.contract.record import Record, decode_record
from gateway.faults import CODES
from gateway.journal.frame import FINAL, INTENT
from gateway.journal.reader import OPEN, SEALED, SegmentReader, SegmentTooNew, workers
from gateway.lake.landed import landed_record, record_files
from gateway.policy import KEPT_NAME
from gateway.providers import PROVIDERS
from gateway.quota_words import counted_in
from gateway.settings import Settings
from pricing.catalog import Catalog, Price
from pricing.cost import charged_by, cost
from pricing.money import usd
from pricing.overrides import Override
from pricing.rates import BUCKETS
from pricing.usage import Usage

# Rates are published for so many tokens.
_MILLION = 1_000_000
_ATTOUSD_PER_PICOUSD = 10**6
_NOT_REPORTED = frozenset({"partial", "estimated", "held", "unknown"})
NO_UNITS: Mapping[str, Unit] = MappingProxyType({})


def main(argv: Sequence[str], settings: Settings, *, output: TextIO = sys.stdout, errors: TextIO = sys.stderr) -> int:
    """Does what the words after `lensai explain` say; the exit code. Raises SystemExit for other words."""
    parser = argparse.ArgumentParser(
        prog="lensai explain", description="Why a call was refused, or what it was charged and how that comes."
    )
    parser.add_argument("request_id", help="of the answer's header x-lensai-request-id, or of `lensai tail --json`")
    arguments = parser.parse_args(argv)
    data_dir = Path(settings.data_dir)
    try:
        record = find(arguments.request_id, data_dir)
    except (SegmentTooNew, msgspec.MsgspecError, OSError) as fault:
        errors.write(f"lensai explain: {fault}\n")
        return 1
    if record is None:
        elsewhere = f"; the lake {settings.lake_url} is not looked into" if settings.lake_url else ""
        errors.write(f"lensai explain: no call {printable(arguments.request_id)!r} under {data_dir}{elsewhere}\n")
        return 1
    policy = policy_of(data_dir)
    units: dict[str, Unit] = {quota.id: quota.unit for quota in policy.quotas}
    output.writelines(f"{line}\n" for line in explained(record, catalog_of(policy), units))
    return 0


def find(request_id: str, data_dir: Path) -> Record | None:
    """The record of a call: its end, else its intent; None where neither is on this machine."""
    intent = None
    for worker in workers(data_dir / "journal"):
        for segment in sorted((*worker.glob(f"*{SEALED}"), *worker.glob(f"*{OPEN}")), reverse=True):
            found = _in_segment(segment, request_id.encode())
            if found is not None and found.outcome != "open":
                return found
            intent = found or intent
    landed = (landed_record(file, request_id) for file in reversed(record_files(data_dir / "lake")))
    return next((record for record in landed if record is not None), intent)


def _in_segment(segment: Path, id: bytes) -> Record | None:
    """What one segment says of a call: its end, if that is there. A segment that lands meanwhile says nothing."""
    payload = None
    try:
        for frame in SegmentReader(segment).frames():
            if frame.id == id and frame.kind in (INTENT, FINAL):
                payload = frame.payload
                if frame.kind == FINAL:
                    break
    except FileNotFoundError:
        return None
    return None if payload is None else decode_record(payload)


def policy_of(data_dir: Path) -> Policy:
    """The policy that was last in force here; an empty one where it cannot be read."""
    try:
        return decode_policy((data_dir / KEPT_NAME).read_bytes())
    except (OSError, msgspec.MsgspecError):
        return Policy()


def catalog_of(policy: Policy) -> Catalog:
    """List prices under the overrides of a policy."""
    rows = policy.price_overrides
    return Catalog.load(
        [Override(row.upstream, row.model, row.rates, row.multiplier, row.starts_at_s, row.ends_at_s) for row in rows]
    )


def explained(record: Record, catalog: Catalog, units: Mapping[str, Unit] = NO_UNITS) -> Iterator[str]:
    """The explanation, line by line; `units` are those of the quotas. Whatever a caller chose is made printable."""
    for name, value in _facts(record):
        if value:
            yield f"{name:<11}{printable(value)}"
    yield from _charged(record, catalog)
    yield from _counted(record, units)


def _counted(record: Record, units: Mapping[str, Unit]) -> Iterator[str]:
    """What its quotas were charged, or hold of a call that is open, and why that is not what the call cost."""
    counters = record.counters or {}
    for name, amount in counters.items():
        label = "holds" if record.outcome == "open" else "counter"
        yield f"{label:<11}{printable(shown(name))}  {_amount(amount, units.get(name.partition('@')[0]))}"
    # Decision 10: what nobody reported is charged as it was held.
    if counters and record.outcome != "open" and record.provenance in _NOT_REPORTED:
        says = "" if record.cost_nanousd is None else "; its cost is an estimate"
        yield f"{'':<11}The provider did not report its whole usage: quotas that block are charged what it held{says}."


def _amount(amount: int, unit: Unit | None) -> str:
    if unit == "usd":
        return f"{usd(amount):f} USD"
    if unit is None:
        return f"{amount:,} (of a quota that is not in the policy file: nano-USD where it is one of money)"
    return counted_in(unit, amount)


def _facts(record: Record) -> Iterator[tuple[str, str]]:
    at = datetime.fromtimestamp(record.ts_ns // 10**9, UTC)
    yield "call", f"{record.request_id}  {at:%Y-%m-%d %H:%M:%S} UTC"
    caller = (("user", record.user_id), ("team", record.team), ("route", record.route), ("tags", ",".join(record.tags)))
    yield "caller", "  ".join([f"{record.project_id}/{record.key_id}", *(f"{k}={v}" for k, v in caller if v)])
    model = " → ".join(dict.fromkeys(name for name in (record.model_requested, record.model) if name))
    yield "asked", f"{record.upstream} {record.endpoint} {model}{' (stream)' if record.stream else ''}".strip()
    yield "outcome", f"{record.outcome.replace('_', ' ')}, status {record.status or 'none'}"
    if record.refusal_code:
        row = CODES.get(record.refusal_code)
        yield "because", f"{record.refusal_code}: {row.meaning if row else 'a reason that this version does not know'}"
    yield "reason", record.refusal_reason
    yield "mode", record.mode
    yield "usage", f"{record.provenance}{f', tier {record.service_tier}' if record.service_tier else ''}"
    yield "flags", ", ".join(record.flags)
    yield "price", f"{record.price_match}, {record.price_version}" if record.price_match != "none" else ""


def _charged(record: Record, catalog: Catalog) -> Iterator[str]:
    if record.buckets:
        yield from _buckets(record, catalog)
    if record.cost_nanousd is not None:
        yield f"{'charged':<11}{usd(record.cost_nanousd):f} USD"
    elif record.price_match == "unpriced":
        yield f"{'charged':<11}unknown: there is no price, which is not free"
    else:
        yield f"{'charged':<11}{'not yet' if record.outcome == 'open' else 'unknown, which is not nothing'}"


def _buckets(record: Record, catalog: Catalog) -> Iterator[str]:
    known = {name: count for name, count in (record.buckets or {}).items() if name in BUCKETS}
    usage = Usage(**known)
    price = _price(record, catalog)
    each_in = usage.tokens_in if price is None else charged_by(usage, price, record.cost_nanousd)
    rates = price.rates_at(each_in) if price is not None else (None,) * len(BUCKETS)
    yield f"  {'BUCKET':<24}{'COUNT':>14}{'USD A MILLION':>18}{'USD':>20}"
    for name, count, rate in zip(BUCKETS, astuple(usage), rates, strict=True):
        if count:
            yield f"  {name:<24}{count:>14,}{_rate(rate):>18}{_decimal(rate, count):>20}"
    for name, count in (record.buckets or {}).items():
        if name not in known:
            yield f"  {printable(name):<24}{count:>14,}{'–':>18}{'–':>20}"
    if price is None:
        return
    if price.per_call_attousd:
        yield f"  {'the call itself':<56}{_decimal(price.per_call_attousd, 1):>20}"
    if record.price_version != catalog.version:
        yield f"  These rates are of {catalog.version}, not of the price version that the call was charged with."
    found = cost(usage, price, each_in)
    if record.cost_nanousd is not None and (not found.complete or found.nanousd != record.cost_nanousd):
        yield f"  They come to {usd(found.nanousd):f} USD: the call had modifiers that its record does not hold."


def _price(record: Record, catalog: Catalog) -> Price | None:
    provider = PROVIDERS.get(record.provider)
    if provider is None:
        return None
    context = (("service_tier", record.service_tier),) if record.service_tier else ()
    mapped = record.price_match == "mapped"
    at_s = record.ts_ns // 10**9
    found = catalog.find(provider.catalog, record.model, at_s, context, scope=record.upstream, mapped=mapped)
    return found if isinstance(found, Price) else None


def _rate(rate: int | Fraction | None) -> str:
    return "no rate" if rate is None else _decimal(rate, _MILLION)


def _decimal(rate: int | Fraction | None, count: int) -> str:
    """USD to twelve decimals at most, without zeros at the end but for cents."""
    if rate is None:
        return "–"
    picousd = round(Fraction(rate) * count / _ATTOUSD_PER_PICOUSD)
    whole, fraction = divmod(picousd, 10**12)
    return f"{whole}.{f'{fraction:012}'.rstrip('0').ljust(2, '0')}"
