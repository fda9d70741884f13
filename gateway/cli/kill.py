"""Owns `lensai kill`: closes and opens kill switches in the policy file.

A running gateway obeys within two looks at the file.
"""

import argparse
import difflib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO, get_args

from gateway.cli.columns import printable
from gateway.cli.policy_edit import Edit, EditError, Fields, read_text, write
from gateway.contract.policy import Dimension, KillSwitch
from gateway.endpoints import ENDPOINT_NAMES
from gateway.policy_toml import PolicyError, read_limits

TABLE = "kill_switches"
# What has happened when this command ends is that a file was changed.
_OBEYED = "gateways that run with this file obey within a second (two looks, policy_poll_ms)"


def run_kill(argv: Sequence[str], config: Path, *, output: TextIO = sys.stdout, errors: TextIO = sys.stderr) -> int:
    """Does what the words after `lensai kill` say; the exit code. Raises SystemExit for words that are no command."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    if arguments.id and arguments.release:
        parser.error("name the switch to close, or --release the one to open")
    try:
        text = read_text(config)
        switches = read_limits(text, source=config.name).kill_switches
        if arguments.release:
            _release(config, text, switches, arguments.release)
            errors.write(f"{arguments.release} is taken out of {config}; {_OBEYED}\n")
        elif arguments.id:
            _close(config, text, switches, arguments)
            again = f"open it again with `lensai kill --release {arguments.id}`"
            errors.write(f"{arguments.id} is written to {config}; {_OBEYED}; {again}\n")
        else:
            output.write("".join(map(_line, switches)))
            if not switches:
                errors.write(f"no kill switch is closed in {config}; those of a control plane are in its UI and API\n")
    except (EditError, PolicyError) as fault:
        errors.write(f"lensai kill: {fault}\n")
        return 1
    except OSError as fault:
        errors.write(f"lensai kill: cannot write {config}: {fault.strerror}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    about = "Ends the calls of a scope, those under way too, and admits no new ones. Without an id, lists the switches."
    parser = argparse.ArgumentParser(prog="lensai kill", description=about)
    parser.add_argument("id", nargs="?", default="", help="what the switch is called from now on")
    parser.add_argument(
        "--scope", action="append", default=[], type=_pair, metavar="DIMENSION=VALUE",
        help=f"which calls, all of them by default; may be repeated ({', '.join(get_args(Dimension))})",
    )  # fmt: skip
    parser.add_argument("--reason", default="", help="which callers are told")
    parser.add_argument("--allow", action="append", default=[], metavar="NAME", help="an endpoint that stays open")
    parser.add_argument("--release", default="", metavar="ID", help="open this switch again")
    return parser


def _pair(text: str) -> tuple[str, str]:
    dimension, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not understood; write project=web")
    return dimension, value


def _close(config: Path, text: str, switches: Sequence[KillSwitch], arguments: argparse.Namespace) -> None:
    if arguments.id in (switch.id for switch in switches):
        raise EditError(f"{arguments.id} is closed already; release it first, or choose another id")
    scope = dict(arguments.scope)
    if len(scope) != len(arguments.scope):
        raise EditError("a dimension is there twice; close a switch for each of its values")
    for name in arguments.allow:
        if name not in ENDPOINT_NAMES:
            nearest: str = difflib.get_close_matches(name, sorted(ENDPOINT_NAMES), 1, 0.0)[0]
            raise EditError(f"no endpoint is called {name!r}, so it would open nothing; the nearest is {nearest!r}")
    optional: Fields = {"scope": scope, "reason": arguments.reason, "allow": arguments.allow}
    write(
        config,
        text,
        Edit(TABLE, adds={"id": arguments.id} | {name: value for name, value in optional.items() if value}),
    )


def _release(config: Path, text: str, switches: Sequence[KillSwitch], id: str) -> None:
    index = next((index for index, switch in enumerate(switches) if switch.id == id), None)
    if index is None:
        known = ", ".join(switch.id for switch in switches) or "none"
        raise EditError(f"there is no kill switch {id!r} in {config}; closed are: {known}")
    write(config, text, Edit(TABLE, drops=(index,)))


def _line(switch: KillSwitch) -> str:
    scope = " ".join(f"{name}={value}" for name, value in switch.scope.items()) or "everything"
    allow = f"  but for {', '.join(switch.allow)}" if switch.allow else ""
    return printable(f"{switch.id}  {scope}{allow}{f'  {switch.reason}' if switch.reason else ''}") + "\n"
