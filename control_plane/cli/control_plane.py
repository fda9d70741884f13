"""Owns `lensai control-plane …`: serving, and what an operator does to an installation."""

import argparse
import os
from collections.abc import Sequence

from control_plane.cli.operator import run, told


def main(words: Sequence[str]) -> int:
    arguments = _parser().parse_args(words)
    match arguments.action:
        case "migrate":
            from control_plane.cli.migrate import migrate

            return run("control-plane migrate", lambda operator: migrate(operator, arguments.down))
        case "gateway-token":
            from control_plane.cli.gateway_token import ACTIONS

            action = ACTIONS[arguments.token_action]
            return run("control-plane gateway-token", lambda operator: action(operator, arguments.name))
        case "republish":
            from control_plane.cli.republish import republish

            return run("control-plane republish", republish)
        case "sign-in":
            from control_plane.cli.sign_in import sign_in

            return run("control-plane sign-in", lambda operator: sign_in(operator, arguments.email))
        case "prepare":
            from control_plane.cli.prepare import prepare

            return prepare(os.environ)
        case _:
            return _serve()


def _serve() -> int:
    from control_plane.serve import CannotStart, serve
    from control_plane.settings import SettingsError

    try:
        serve(os.environ)
    except (SettingsError, CannotStart) as fault:
        return told("control-plane", fault)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lensai control-plane",
        description="Serves the API; with an action, does that instead. Settings are LENSAI_CONTROL_* variables.",
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    migrate = actions.add_parser("migrate", help="bring the database to the schema of this version")
    migrate.add_argument(
        "--down", metavar="REVISION", help="go back to a revision instead; `base` is an empty database"
    )
    tokens = actions.add_parser("gateway-token", help="what gateways prove themselves with: create, list, revoke")
    kinds = tokens.add_subparsers(dest="token_action", metavar="ACTION", required=True)
    kinds.add_parser("create", help="print a new token, once").add_argument("name")
    kinds.add_parser("list", help="print the tokens' names").set_defaults(name="")
    kinds.add_parser("revoke", help="no gateway with this token is told anything more").add_argument("name")
    actions.add_parser("republish", help="after a backup was restored: every gateway takes the whole policy anew")
    sign_in = actions.add_parser("sign-in", help="print a link that signs in a user, such as an owner without mail")
    sign_in.add_argument("email")
    actions.add_parser("prepare", help="make keys, schema, owner and a gateway's token ready (for `lensai up`)")
    return parser
