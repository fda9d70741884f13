"""Owns the command line: `lensai <command>`. Each command's work is in its own module."""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from gateway.logs import configure_logs, logger
from gateway.policy_toml import PolicyError
from gateway.settings import Settings, SettingsError, config_path, load_settings


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit code. Errors of configuration are one message, not a traceback."""
    arguments, rest = _parser().parse_known_args(argv)
    command = _COMMANDS[arguments.command]
    if rest and command not in _OWN_ARGUMENTS:
        _parser().error(f"unrecognized arguments: {' '.join(rest)}")
    try:
        return command(arguments, rest)
    except (SettingsError, PolicyError) as fault:
        print(f"lensai: {fault}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lensai", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    for name, (summary, own_help) in _SUMMARIES.items():
        command = commands.add_parser(name, help=summary, add_help=own_help)
        if name == "gateway":
            command.add_argument("--worker", type=int, default=None, help=argparse.SUPPRESS)
    return parser


def _settings(environ: Mapping[str, str]) -> Settings:
    path = config_path(environ)
    return load_settings(environ, path.read_text("utf-8") if path.exists() else None)


def _up(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
    from gateway.cli.first_start import ensure_first_key, render_welcome
    from gateway.supervise import Supervisor

    settings = _settings(os.environ)
    configure_logs(log_format=settings.log_format, level=settings.log_level)
    token = ensure_first_key(config_path(os.environ))
    print(render_welcome(_base_url(settings), token), flush=True)
    workers = {f"gateway-{n}": ("gateway", "--worker", str(n)) for n in range(settings.workers)}
    return Supervisor({**workers, "lake": ("lake",)}, os.environ, logger).run()


def _gateway(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
    settings = _settings(os.environ)
    configure_logs(log_format=settings.log_format, level=settings.log_level)
    if arguments.worker is None and settings.workers > 1:
        from gateway.supervise import Supervisor

        workers = {f"gateway-{n}": ("gateway", "--worker", str(n)) for n in range(settings.workers)}
        return Supervisor(workers, os.environ, logger).run()
    from gateway.journal.directory import JournalLocked, NodeFileDamaged
    from gateway.server import serve

    try:
        serve(settings, os.environ, arguments.worker or 0)
    except (JournalLocked, NodeFileDamaged, OSError) as fault:
        print(f"lensai gateway: {fault}", file=sys.stderr)
        return 1
    return 0


def _lake(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
    from gateway.lake.land import run

    settings = _settings(os.environ)
    configure_logs(log_format=settings.log_format, level=settings.log_level)
    return run(settings)


def _sandbox(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
    from gateway.sandbox.__main__ import main as sandbox

    return sandbox(rest)


def _tail(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
    raise SystemExit(2)


def _base_url(settings: Settings) -> str:
    scheme = "https" if settings.tls_cert_file else "http"
    host = f"[{settings.listen_host}]" if ":" in settings.listen_host else settings.listen_host
    return f"{scheme}://{host}:{settings.listen_port}"


_COMMANDS = {"up": _up, "gateway": _gateway, "lake": _lake, "sandbox": _sandbox, "tail": _tail}
# These parse their own arguments, and answer --help themselves.
_OWN_ARGUMENTS = (_sandbox, _tail)
_SUMMARIES = {
    "up": ("gateway and lake on this machine, with a first key", True),
    "gateway": ("the data plane alone", True),
    "lake": ("journal segments to Parquet", True),
    "sandbox": ("a simulated OpenAI, Azure, Anthropic and Gemini with a bill of its own", False),
    "tail": ("a live table of calls", False),
}

if __name__ == "__main__":
    sys.exit(main())
