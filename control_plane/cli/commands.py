"""Owns the commands that `lensai` finds through the entry points `lensai.commands`. Imports what one does when it runs.

`run` takes the words after the command's name and returns the exit code.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple


class Command(NamedTuple):
    summary: str
    run: Callable[[Sequence[str]], int]


def _control_plane(words: Sequence[str]) -> int:
    from control_plane.cli.control_plane import main

    return main(words)


def _secrets(words: Sequence[str]) -> int:
    from control_plane.cli.secrets import main

    return main(words)


def _audit(words: Sequence[str]) -> int:
    from control_plane.cli.audit import main

    return main(words)


def _apply(words: Sequence[str]) -> int:
    from control_plane.cli.apply import main

    return main(words)


def _seed(words: Sequence[str]) -> int:
    from control_plane.cli.seed import main

    return main(words)


def _clickhouse(words: Sequence[str]) -> int:
    from control_plane.cli.clickhouse import main

    return main(words)


def _backtest(words: Sequence[str]) -> int:
    from control_plane.cli.backtest import main

    return main(words)


def _reconcile(words: Sequence[str]) -> int:
    from control_plane.cli.reconcile import main

    return main(words)


def _lake(words: Sequence[str]) -> int:
    from control_plane.cli.lake import main

    return main(words)


control_plane = Command("people, projects, keys, budgets and the policy that gateways obey", _control_plane)
secrets = Command("new keys for what the control plane seals and signs", _secrets)
audit = Command("check the audit log's chain, or export it signed", _audit)
apply = Command("make the control plane have what a file declares", _apply)
seed = Command("demo data that looks like life, in the lake and in the database", _seed)
clickhouse = Command("the lake's calls in a ClickHouse: tables, and days loaded into them", _clickhouse)
backtest = Command("what a limit or other prices would have refused of past calls", _backtest)
reconcile = Command("compare what was counted with a provider's own export", _reconcile)
# The gateway has a `lake` of its own, which lands; it passes on the words that follow and are not its.
lake = Command("curate the lake, roll it up, check that it adds up", _lake)
