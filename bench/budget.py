"""Owns the measurement of a hard budget: many callers at once, and what the provider's own bill says they spent.

The provider is the sandbox, whose bill shares no code with any proxy. `python -m bench.budget`, with `--peers` beside
LiteLLM's proxy; exits with 1 if the gateway overspent.
"""

import argparse
import asyncio
import json
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from urllib.request import urlopen

import msgspec
import uvloop

from bench import report, results, targets
from bench.cpu import machine
from bench.exchange import MODEL, json_request
from bench.load import Connection
from bench.targets import HOST, METERED_TOKEN, Target
from pricing.money import NANOUSD_PER_USD

_LIMIT_USD, _CALLERS = 1.0, 200
# A long answer and a patient provider: every caller has a call under way when the budget runs out. A call costs
# 0.12 cents, so some 800 fit into a dollar.
_TOKENS, _DELAY_MS = 2000, 1000
# A caller that is refused asks again, for what others held may have been given back, and then gives up.
_REFUSALS_MAX, _BACK_OFF_S = 4, 0.5
# Five times what the budget pays for: a proxy that refuses nobody has an end too.
_CALLS_MAX = 20
# Slower than any proxy answers under this load.
_CALL_TIMEOUT_S = 120.0
_SETTLE_S = 1.0

_BUDGET = """
[[quotas]]
id = "hard-cap"
unit = "usd"
limit_usd = "{limit_usd}"
window = "total"
scope = {{ project = "bench" }}
"""


class Spent(msgspec.Struct, frozen=True):
    """What callers were answered through one proxy, and what the provider billed."""

    through: str
    limit_nanousd: int
    billed_nanousd: int
    billed_calls: int
    statuses: dict[int, int]  # answers by status; 0: the connection broke

    @property
    def let_through(self) -> int:
        return self.statuses.get(200, 0)

    @property
    def refused(self) -> int:
        """Calls that were answered with any other status."""
        return sum(count for status, count in self.statuses.items() if status not in (0, 200))

    @property
    def overspent_nanousd(self) -> int:
        return max(0, self.billed_nanousd - self.limit_nanousd)


class Run(msgspec.Struct, frozen=True):
    """What bench/out/ holds of it."""

    started: str  # UTC, ISO 8601
    machine: dict[str, str]
    callers: int
    spent: list[Spent]


def markdown(run: Run) -> str:
    """The whole report."""
    facts = ", ".join(f"{name} {value}" for name, value in run.machine.items())
    heads = ("through", "limit, USD", "billed, USD", "let through", "refused", "overspent, USD", "overspent, %")
    about = f"{run.callers} callers at once, {MODEL}, answers of {_TOKENS} tokens after {_DELAY_MS} ms"
    broken = [f"**{one.statuses[0]} calls through {one.through} broke.**" for one in run.spent if 0 in one.statuses]
    return "\n\n".join((f"{run.started}, {facts}", about, report.table(heads, _rows(run.spent), words=1), *broken))


def _rows(spent: Sequence[Spent]) -> list[list[str]]:
    return [
        [
            one.through,
            _usd(one.limit_nanousd),
            _usd(one.billed_nanousd),
            str(one.let_through),
            str(one.refused),
            f"**{_usd(one.overspent_nanousd)}**",
            f"{100 * one.overspent_nanousd / one.limit_nanousd:.1f}",
        ]
        for one in spent
    ]


def _usd(nanousd: int) -> str:
    return f"{nanousd / NANOUSD_PER_USD:.4f}"


class _Caller(Connection):
    """One caller's connection; `call` is awaited."""

    async def call(self, request: bytes) -> int:
        """The status of the answer; 0: the connection broke."""
        answered: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.on_free = lambda connection: answered.set_result(connection.status)
        self.send(request, 0)
        return await asyncio.wait_for(answered, _CALL_TIMEOUT_S)


async def _ask(port: int, request: bytes) -> Counter[int]:
    """What one caller is answered until it gives up."""
    loop, statuses, refusals = asyncio.get_running_loop(), Counter[int](), 0
    _, caller = await loop.create_connection(_Caller, HOST, port)
    while statuses.total() < _CALLS_MAX and refusals < _REFUSALS_MAX and not caller.closed:
        status = await caller.call(request)
        statuses[status] += 1
        refusals = 0 if status == 200 else refusals + 1
        if refusals:
            await asyncio.sleep(_BACK_OFF_S)
    caller.close()
    return statuses


async def _ask_at_once(target: Target, callers: int) -> Counter[int]:
    request = json_request(f"{HOST}:{target.port}", target.json_path, METERED_TOKEN, max_tokens=_TOKENS)
    asked = await asyncio.gather(*(_ask(target.port, request) for _ in range(callers)))
    await asyncio.sleep(_SETTLE_S)
    return sum(asked, Counter[int]())


# Starts a proxy with the budget before the provider at that port.
_Start = Callable[[int, Path], AbstractContextManager[Target]]


def _spend(start: _Start, limit_usd: float, callers: int) -> Spent:
    """One proxy before a provider of its own, whose bill begins at nothing."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lensai-bench-")))
        provider = stack.enter_context(targets.sandbox("--tokens", str(_TOKENS), "--delay-ms", str(_DELAY_MS)))
        proxy = stack.enter_context(start(provider.port, directory))
        print(f"… {proxy.name}", file=sys.stderr)
        statuses = uvloop.run(_ask_at_once(proxy, callers))
        with urlopen(f"http://{HOST}:{provider.port}/_sandbox/bill") as answer:
            totals = json.load(answer)["totals"]
    limit_nanousd = round(limit_usd * NANOUSD_PER_USD)
    return Spent(proxy.name, limit_nanousd, totals["amount_nanousd"], totals["calls"], dict(statuses))


def _litellm(given: Path | None, stack: ExitStack) -> str:
    """The proxy's program, from an environment that is made for it unless one is given. Takes minutes."""
    if given is not None:
        return str(given)
    home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lensai-bench-litellm-")))
    print("… installing litellm[proxy]", file=sys.stderr)
    subprocess.run([sys.executable, "-m", "venv", home], check=True)
    subprocess.run([home / "bin" / "python", "-m", "pip", "install", "--quiet", "litellm[proxy]"], check=True)
    return str(home / "bin" / "litellm")


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    options = argparse.ArgumentParser(prog="python -m bench.budget", description="Whether a hard budget is one.")
    options.add_argument("--callers", type=int, default=_CALLERS, help="at once (default: %(default)s)")
    options.add_argument("--limit-usd", type=float, default=_LIMIT_USD, help="the budget (default: %(default)s)")
    options.add_argument("--peers", action="store_true", help="LiteLLM's proxy too")
    options.add_argument("--litellm", type=Path, help="its program; without it one is installed for the run")
    return options.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    """The exit status; the report is on standard output, what it is doing on standard error."""
    asked = _options(arguments)
    limit_usd: float = asked.limit_usd
    # A SIGTERM must unwind the blocks as Ctrl-C does, or the processes of the run outlive it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    quotas = _BUDGET.format(limit_usd=f"{limit_usd:.9f}")
    starts: list[_Start] = [lambda port, directory: targets.gateway(port, directory, quotas=quotas)]
    started, facts = results.now(), machine()
    with ExitStack() as stack:
        if asked.peers:
            program = _litellm(asked.litellm, stack)
            starts.append(
                lambda port, directory: targets.litellm(port, directory, program=program, budget_usd=f"{limit_usd:.9f}")
            )
        spent = [_spend(start, limit_usd, asked.callers) for start in starts]
    run = Run(started, facts, asked.callers, spent)
    print(markdown(run))
    print(f"Written to {results.save(run, started, prefix='budget-')}", file=sys.stderr)
    return 1 if spent[0].overspent_nanousd else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
