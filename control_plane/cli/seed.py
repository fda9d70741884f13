"""Owns `lensai seed`: demo data that looks like life, in the lake and in the database."""

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Callable, Sequence

from control_plane.cli.lake import AGAIN, curate_all
from control_plane.cli.operator import Operator, Refused, run, told
from control_plane.cli.seed_company import is_here, settle_in, tell_the_story
from control_plane.clock import now_ms
from control_plane.key_file import load_ring
from control_plane.lake.curate import Beaten
from control_plane.lake.curated import open_tables
from control_plane.lake.engine import EngineFault
from control_plane.lake.seed import landing
from control_plane.lake.seed.generate import Generator, plain_places
from control_plane.lake.seed.landing import Done, OtherSeed, Seeded
from control_plane.lake.seed.story import Plan
from control_plane.serve import CannotStart, make_ready
from control_plane.settings import Settings, SettingsError, load_settings
from gateway.lake.store import StoreFault, open_store

ROWS_MAX, DAYS_MAX = 100_000_000, 400


def main(words: Sequence[str]) -> int:
    arguments = _parser().parse_args(words)
    plan = Plan(arguments.rows, arguments.days, arguments.seed, now_ms() // 1000)
    try:
        if arguments.org:
            settings = load_settings(os.environ)
            return _lake_alone(settings.lake, plan, arguments.org) or _curate(settings)
        sign_in = asyncio.run(make_ready(load_settings(os.environ))).sign_in
    except (SettingsError, CannotStart, OtherSeed, StoreFault, ValueError) as fault:
        return told("seed", fault)
    return run("seed", lambda operator: seed(operator, plan, sign_in))


async def seed(operator: Operator, plan: Plan, sign_in: str | None) -> int:
    """Both, for the oldest organization. Raises Refused."""
    try:
        await _seed(operator, plan)
    except (OtherSeed, StoreFault, ValueError) as fault:
        raise Refused(str(fault)) from None
    settings = operator.settings
    if failed := await asyncio.to_thread(_curate, settings):
        return failed
    link = sign_in or f"{settings.url} (`lensai control-plane sign-in {settings.owner_email}`)"
    print(f"\nTo look at it: `lensai up`, then open {link}")
    return 0


async def _seed(operator: Operator, plan: Plan) -> None:
    store = open_store(operator.settings.lake)
    there = landing.begun(store)
    if there is not None:
        plan = landing.same_but_for_the_time(plan, there)
        if not await is_here(operator, there.places):
            raise Refused("the lake's demo data is of projects that this database does not have; take another lake")
    if (made := landing.done(store)) is not None:
        return _show(operator.settings.lake, plan, made, 0.0)
    places = there.places if there is not None else await settle_in(operator, plan)
    began = time.monotonic()
    generator = Generator(plan, places)
    try:
        made = landing.write(store, Seeded(plan, places), generator, _progress(plan.rows))
        await tell_the_story(operator, plan, places, generator)
    finally:
        generator.close()
    landing.finish(store, made)
    _show(operator.settings.lake, plan, made, time.monotonic() - began)
    return None


def _lake_alone(lake: str, plan: Plan, org_id: str) -> int:
    """The files alone, for an organization that no database here knows."""
    store, places = open_store(lake), plain_places(org_id)
    there = landing.begun(store)
    if there is not None:
        plan = landing.same_but_for_the_time(plan, there)
    if (made := landing.done(store)) is None:
        generator = Generator(plan, places)
        began = time.monotonic()
        made = landing.write(store, Seeded(plan, places), generator, _progress(plan.rows))
        generator.close()
        landing.finish(store, made)
        _show(lake, plan, made, time.monotonic() - began)
    else:
        _show(lake, plan, made, 0.0)
    return 0


def _curate(settings: Settings) -> int:
    """Makes tables and rollups of what was written: more calls wait for it than a question may read."""
    began = time.monotonic()
    try:
        curate_all(open_tables(settings.lake, load_ring(settings)))
    except Beaten:
        print("It is being curated by somebody else at this moment.")
        return 0
    except (StoreFault, EngineFault) as fault:
        print(f"lensai seed: it is written, but not curated ({fault}); run lensai lake curate", file=sys.stderr)
        return AGAIN
    print(f"Curated in {time.monotonic() - began:.0f} s")
    return 0


def _progress(rows: int) -> Callable[[int], None]:
    """Tells a person at a terminal how far it is."""

    def tell(so_far: int) -> None:
        if sys.stderr.isatty():
            print(f"\r{so_far:,} of {rows:,} calls", end="\n" if so_far == rows else "", file=sys.stderr, flush=True)

    return tell


def _show(lake: str, plan: Plan, made: Done, took_s: float) -> None:
    verb = f"Wrote in {took_s:.0f} s" if took_s else "It was there already"
    print(
        f"{verb}: {made.rows:,} calls of {plan.days} days, {made.files} files of {made.bytes / 2**20:.0f} MiB in {lake}"
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lensai seed",
        description="Demo data that looks like life: a company's calls of some weeks, its projects, keys and budgets. "
        "The same numbers make the same data; doing it twice changes nothing. Settings are LENSAI_CONTROL_* variables.",
    )
    parser.add_argument(
        "--rows", type=_number(1_000, ROWS_MAX), default=200_000, metavar="N", help="calls, %(default)s"
    )
    parser.add_argument("--days", type=_number(1, DAYS_MAX), default=60, metavar="N", help="until now, %(default)s")
    parser.add_argument("--seed", type=_number(0, 2**31), default=7, metavar="N", help="another one is another world")
    parser.add_argument(
        "--org", metavar="ID", help="the lake alone, for this organization; the database is not touched"
    )
    return parser


def _number(least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        number = int(text)
        if not least <= number <= most:
            raise argparse.ArgumentTypeError(f"write {least} to {most}")
        return number

    return read


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
