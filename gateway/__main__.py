"""Owns the command line, `lensai <command>`. What a command does is in a module of its own, imported when asked for."""

import argparse
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import NamedTuple, Protocol

from msgspec.structs import replace

from gateway.faults import GatewayFault
from gateway.logs import configure_logs, logger
from gateway.policy_toml import PolicyError
from gateway.settings import PREFIX, Settings, SettingsError, config_path, load_settings
from gateway.supervise import CANNOT_START, Stage, Supervisor

# A gateway that has ended its calls writes down what is left, and the lake lands it.
STOP_MARGIN_S = 15.0
# To listen everywhere is no address that a caller could use.
_WILDCARDS = frozenset(("0.0.0.0", "::"))

# Where other packages, such as the control plane, name commands of theirs: each is an object like `_Command`.
COMMANDS_OF_OTHERS = "lensai.commands"


class _Command(NamedTuple):
    summary: str
    run: Callable[[Sequence[str]], int]


class _Runnable(Protocol):
    """What this module knows of another package's command."""

    @property
    def summary(self) -> str: ...
    @property
    def run(self) -> Callable[[Sequence[str]], int]: ...


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit code. What a person has to mend is a message, not a traceback."""
    words = sys.argv[1:] if argv is None else list(argv)
    if not words or words[0] in ("-h", "--help", "help"):
        print(_usage())
        return 0 if words else 2
    command = _COMMANDS.get(words[0]) or _commands_of_others().get(words[0])
    if command is None:
        print(f"lensai: no command {words[0]!r}\n\n{_usage()}", file=sys.stderr)
        return 2
    try:
        return command.run(words[1:])
    except (SettingsError, PolicyError, GatewayFault) as fault:
        return _cannot_start(words[0], fault)
    except KeyboardInterrupt:
        return 130


def _cannot_start(name: str, fault: Exception) -> int:
    print(f"lensai {name}: {fault}", file=sys.stderr)
    return CANNOT_START


def _usage() -> str:
    others = {name: command for name, command in _commands_of_others().items() if name not in _COMMANDS}
    rows = [f"  {name:<15}{command.summary}" for name, command in {**_COMMANDS, **others}.items()]
    settings = "Settings are LENSAI_* variables and the [settings] table of lensai.toml."
    return "\n".join(("usage: lensai <command> [--help]", "", *rows, "", settings))


def _commands_of_others() -> dict[str, _Runnable]:
    """Commands of what is installed beside the gateway; one that cannot be loaded is told of and left out."""
    commands: dict[str, _Runnable] = {}
    for entry in entry_points(group=COMMANDS_OF_OTHERS):
        try:
            commands[entry.name] = entry.load()
        except (ImportError, AttributeError) as fault:
            print(f"lensai: the command {entry.name} is installed and cannot be loaded: {fault}", file=sys.stderr)
    return commands


def _up(words: Sequence[str]) -> int:
    _no_arguments("up", words)
    from gateway.cli import beside

    path = config_path(os.environ)
    settings = _with_port(_settings(os.environ))
    base_url, others = _base_url(settings), {"lake": ("lake",)}
    # One that is elsewhere is obeyed instead.
    if settings.control_plane_url or beside.COMMAND not in _commands_of_others():
        print(_welcome(path, base_url), flush=True)
        return _supervise(settings, others)
    try:
        # Before there is a key, which is shown once: not at all, if this fails.
        plane = beside.prepare(settings, os.environ, "" if settings.listen_host in _WILDCARDS else base_url)
    except beside.NotReady as fault:
        print(fault, file=sys.stderr)
        return CANNOT_START
    print(f"{_welcome(path, base_url)}\n{beside.render(plane)}\n", flush=True)
    return _supervise(settings, {**others, beside.COMMAND: (beside.COMMAND,)}, more=plane.environ)


def _welcome(config: Path, base_url: str) -> str:
    """What to copy, with the first key where there was none. Raises GatewayFault."""
    from gateway.cli.first_start import ensure_first_key, render_welcome
    from gateway.cli.keys import KeysError

    try:
        return render_welcome(base_url, ensure_first_key(config))
    except KeysError as fault:
        raise GatewayFault(str(fault)) from None
    except OSError as fault:
        raise GatewayFault(f"cannot write {config}: {fault.strerror}") from None


def _gateway(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="lensai gateway", description="The data plane, alone.")
    parser.add_argument("--worker", type=int, help="run this one worker only (started by its supervisor)")
    arguments = parser.parse_args(words)
    settings = _settings(os.environ)
    if arguments.worker is None and settings.workers > 1:
        return _supervise(_with_port(settings))
    from gateway.server import serve

    serve(settings, os.environ, arguments.worker or 0)
    return 0


def _lake(words: Sequence[str]) -> int:
    if words and not words[0].startswith("-") and words[0] != "land":
        return _lake_of_others(words)
    description = f"{_COMMANDS['lake'].summary.capitalize()}."
    actions = "without an action, or with `land`, it lands until it is stopped; others are the control plane's"
    parser = argparse.ArgumentParser(prog="lensai lake", description=description, epilog=actions)
    parser.add_argument("action", nargs="?", choices=("land",), metavar="ACTION", help="land, curate, rollup, verify …")
    parser.parse_args(words)
    return _land()


def _lake_of_others(words: Sequence[str]) -> int:
    """What is done to files that have landed, by whoever is installed to do it."""
    command = _commands_of_others().get("lake")
    if command is None:
        print(f"lensai lake: no action {words[0]!r}: the control plane is not installed", file=sys.stderr)
        return 2
    return command.run(words)


def _land() -> int:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        # In a thread: the one that is interrupted may hold the event's lock.
        signal.signal(number, lambda _number, _frame: threading.Thread(target=stop.set).start())
    # It has nothing to read again, and must not die of what the gateways are told.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    from gateway.lake.land import LakeRunning, run

    settings = _settings(os.environ)
    data_dir = Path(settings.data_dir)
    try:
        run(data_dir / "journal", settings.lake_url or str(data_dir / "lake"), poll_ms=settings.lake_poll_ms, stop=stop)
    except (LakeRunning, ValueError, OSError) as fault:
        return _cannot_start("lake", fault)
    return 0


def _sandbox(words: Sequence[str]) -> int:
    from gateway.sandbox.__main__ import main as sandbox

    return sandbox(words)


def _demo(words: Sequence[str]) -> int:
    from gateway.cli.demo import main as demo

    return demo(words)


def _tail(words: Sequence[str]) -> int:
    from gateway.cli.tail import main as tail

    return tail(words, Path(_settings(os.environ).data_dir))


def _keys(words: Sequence[str]) -> int:
    from gateway.cli.keys import run_keys

    return run_keys(words, config_path(os.environ), int(time.time()))


def _budgets(words: Sequence[str]) -> int:
    from gateway.cli.budgets import run_budgets

    return run_budgets(words, _settings(os.environ), config_path(os.environ), int(time.time()))


def _kill(words: Sequence[str]) -> int:
    from gateway.cli.kill import run_kill

    return run_kill(words, config_path(os.environ))


def _ledger(words: Sequence[str]) -> int:
    from gateway.cli.ledger import run_ledger

    return run_ledger(words, _settings(os.environ))


def _explain(words: Sequence[str]) -> int:
    from gateway.cli.explain import main as explain

    return explain(words, _settings(os.environ))


def _supervise(settings: Settings, *others: Stage, more: Mapping[str, str] | None = None) -> int:
    """The workers, and behind them the others, which are stopped once all workers have ended. `more` is variables."""
    workers = {f"gateway-{n}": ("gateway", "--worker", str(n)) for n in range(settings.workers)}
    environ = {**os.environ, **(more or {}), f"{PREFIX}LISTEN_PORT": str(settings.listen_port)}
    stop_timeout_s = settings.shutdown_timeout_ms / 1000 + STOP_MARGIN_S
    return Supervisor((workers, *others), environ, logger, stop_timeout_s=stop_timeout_s).run()


def _with_port(settings: Settings) -> Settings:
    """Settings with a port that can be told and shared: of port 0 each worker would take another."""
    if settings.listen_port:
        return settings
    with socket.socket(socket.AF_INET6 if ":" in settings.listen_host else socket.AF_INET) as probe:
        try:
            probe.bind((settings.listen_host, 0))
        except OSError as fault:
            raise GatewayFault(f"listen_host {settings.listen_host} cannot be used: {fault.strerror}") from None
        return replace(settings, listen_port=probe.getsockname()[1])


def _settings(environ: Mapping[str, str]) -> Settings:
    settings = load_settings(environ, _config_text(config_path(environ)))
    configure_logs(log_format=settings.log_format, level=settings.log_level)
    return settings


def _config_text(path: Path) -> str | None:
    """The TOML file's text; None if there is none. Raises SettingsError."""
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        raise SettingsError(f"{path} is not UTF-8 text; save it as such") from None
    except OSError as fault:
        raise SettingsError(f"cannot read {path}: {fault.strerror}") from None


def _no_arguments(name: str, words: Sequence[str]) -> None:
    description = _COMMANDS[name].summary[0].upper() + _COMMANDS[name].summary[1:] + "."
    argparse.ArgumentParser(prog=f"lensai {name}", description=description).parse_args(words)


def _base_url(settings: Settings) -> str:
    scheme = "https" if settings.tls_cert_file else "http"
    host = f"[{settings.listen_host}]" if ":" in settings.listen_host else settings.listen_host
    return f"{scheme}://{host}:{settings.listen_port}"


_COMMANDS = {
    "up": _Command("gateway, lake and control plane on this machine; makes a first key and says what to copy", _up),
    "gateway": _Command("the data plane alone", _gateway),
    "lake": _Command("lands finished journal segments as Parquet", _lake),
    "keys": _Command("create, list and revoke keys", _keys),
    "budgets": _Command("what is left of every quota; minutes of grace for one", _budgets),
    "kill": _Command("end the calls of a scope and admit no more, until released", _kill),
    "ledger": _Command("the gateways that share a ledger; write off one that never returns", _ledger),
    "explain": _Command("why a call was refused, or what it was charged and how that comes", _explain),
    "tail": _Command("a live table of calls", _tail),
    "sandbox": _Command("a simulated provider with a bill of its own", _sandbox),
    "demo": _Command("all of it at once, for some seconds, without any provider's key", _demo),
}

if __name__ == "__main__":
    sys.exit(main())
