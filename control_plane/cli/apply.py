"""Owns `lensai apply`: shows what has to change so that the control plane has what a file declares, and does it."""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from control_plane.declared.apply import TOKEN, URL, Api, ApiProblem
from control_plane.declared.document import DocumentError, Thing, read
from control_plane.declared.plan import Impossible, Step, plan

_SIGNS = {"create": "+", "update": "~", "delete": "-"}
# Of a key, and of a webhook whose target names no secret.
_SHOWN_ONCE = ("secret", "signing_secret")


def main(words: Sequence[str], environ: Mapping[str, str] = os.environ) -> int:
    """0: it is as declared now; 1: it is not; 2: the document or the arguments cannot be used."""
    arguments = _parser().parse_args(words)
    token = environ.get(TOKEN, "")
    if not token:
        print(f"lensai apply: set {TOKEN} to a service token (lst_…), made under POST /v1/tokens", file=sys.stderr)
        return 2
    try:
        declared = read(_text(arguments.file), environ)
        with Api(environ.get(URL, "http://127.0.0.1:8000"), token) as api:
            return _apply(api, declared, arguments)
    except (DocumentError, Impossible, OSError, UnicodeDecodeError) as fault:
        print(f"lensai apply: {fault}", file=sys.stderr)
        return 2
    except ApiProblem as fault:
        print(f"lensai apply: {fault}", file=sys.stderr)
        return 1


def _apply(api: Api, declared: Sequence[Thing], arguments: argparse.Namespace) -> int:
    """Raises Impossible, ApiProblem."""
    found = api.found()
    steps = plan(declared, found, prune=arguments.prune, secrets=arguments.secrets)
    _show(steps, len(declared))
    if not steps or arguments.plan:
        return 0
    if not arguments.yes and not _agreed():
        print("Nothing was changed.")
        return 1
    try:
        api.carry_out(steps, found, _tell)
    except ApiProblem as fault:
        raise ApiProblem(f"{fault}\nWhat stands above is done; run it again for the rest.") from None
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lensai apply",
        description=f"Makes the control plane ({URL}, {TOKEN}) have what a YAML file declares.",
    )
    parser.add_argument("-f", "--file", required=True, help="the document; - reads standard input")
    parser.add_argument("--plan", action="store_true", help="show what would change, and stop")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--prune", action="store_true", help="remove what the document does not declare")
    parser.add_argument("--secrets", action="store_true", help="send targets again, which cannot be compared")
    return parser


def _text(file: str) -> str:
    return sys.stdin.read() if file == "-" else Path(file).read_text("utf-8")


def _show(steps: Sequence[Step], declared: int) -> None:
    for step in steps:
        print(f"{_SIGNS[step.verb]} {step.label}")
        for field, (old, new) in step.differences.items():
            print(f"    {field}: {old!r} -> {new!r}")
    if not steps:
        print(f"Nothing to do: all {declared} declared things are there as they should be.")


def _agreed() -> bool:
    if not sys.stdin.isatty():
        print("lensai apply: nobody can be asked; add --yes", file=sys.stderr)
        return False
    return input("Do this? Type yes: ").strip() == "yes"


def _tell(step: Step, answer: Any) -> None:
    print(f"{_SIGNS[step.verb]} {step.label}: done")
    made = cast(dict[str, Any], answer) if isinstance(answer, dict) else {}
    for field in _SHOWN_ONCE:
        if made.get(field):
            print(f"    its {field.replace('_', ' ')}, shown this once: {made[field]}")
