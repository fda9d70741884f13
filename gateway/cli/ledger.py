"""Owns `lensai ledger`: which gateways share a ledger, and declaring that one of them will never return."""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from typing import TextIO

from gateway.ledger.redis import RedisStore
from gateway.ledger.store import Member, StoreDown
from gateway.settings import Settings

# As long as lua/beat.lua takes one for working that is not heard of.
DEAD_MS = 5000

_ABOUT = (
    "Lists the gateways that share the ledger at ledger_url. One that is gone for good, with its disk, is written off,"
    " so that nobody waits for it when a Redis was restarted or replaced."
)
_WRITTEN_OFF = (
    "nobody waits for it any more. What it had claimed stays spent until the windows end; what it spent that this"
    " server never heard of is not counted"
)


class _Refused(Exception):
    """What a person has to do instead."""


def run_ledger(
    argv: Sequence[str], settings: Settings, *, output: TextIO = sys.stdout, errors: TextIO = sys.stderr
) -> int:
    """Does what the words after `lensai ledger` say; the exit code. Raises SystemExit for words that are no command."""
    parser = argparse.ArgumentParser(prog="lensai ledger", description=_ABOUT)
    parser.add_argument("--write-off", default="", metavar="NODE", help="the node, as listed, that will never return")
    node = parser.parse_args(argv).write_off
    if not settings.ledger_url:
        errors.write("lensai ledger: ledger_url is not set: this gateway keeps its own, and waits for no other\n")
        return 1
    try:
        members = asyncio.run(_write_off(settings.ledger_url, node) if node else _members(settings.ledger_url))
    except _Refused as fault:
        errors.write(f"lensai ledger: {fault}\n")
        return 1
    except StoreDown as fault:
        errors.write(f"lensai ledger: the store at ledger_url cannot be asked: {fault}\n")
        return 1
    if node:
        errors.write(f"{node} is written off: {_WRITTEN_OFF}\n")
    output.write(_table(members))
    return 0


async def _members(url: str) -> tuple[Member, ...]:
    store = RedisStore(url)
    try:
        return await store.members()
    finally:
        await store.close()


async def _write_off(url: str, node: str) -> tuple[Member, ...]:
    """Who is left. Raises StoreDown, _Refused."""
    store = RedisStore(url)
    try:
        members = await store.members()
        found = next((member for member in members if member.node == node), None)
        if found is None:
            known = ", ".join(member.node for member in members) or "none"
            raise _Refused(f"there is no node {node!r}; there are: {known}")
        if found.silent_ms <= DEAD_MS:
            raise _Refused(f"{node} works: stop that gateway, which takes it off the list")
        if not await store.leave(node, found.epoch):
            raise _Refused(f"{node} has been started again meanwhile")
        return await store.members()
    finally:
        await store.close()


def _table(members: Sequence[Member]) -> str:
    rows = [("NODE", "LAST HEARD OF", "")]
    rows += [(member.node, f"{member.silent_ms / 1000:.1f} s ago", _state(member)) for member in members]
    width = max(len(node) for node, _, _ in rows)
    return "".join(f"{node:<{width}}  {heard:>15}  {state}".rstrip() + "\n" for node, heard, state in rows)


def _state(member: Member) -> str:
    if member.silent_ms <= DEAD_MS:
        return "works" if not member.is_awaited else "works; states its claims"
    if not member.is_awaited:
        return "silent; what it claimed counts as spent"
    return f"silent, and waited for: start it again, or `lensai ledger --write-off {member.node}` if its disk is lost"
