"""Owns the command `lensai sandbox`: its options, what it prints, and its life until a signal."""

import argparse
import asyncio
import signal
import sys
from collections.abc import Sequence
from typing import cast

import msgspec
import uvloop

from gateway.sandbox.controls import HEADER_PREFIX, Controls
from gateway.sandbox.server import Options, Sandbox, serve
from gateway.sandbox.sigv4 import ACCESS_KEY, SECRET_KEY

_GREETING = """\
lensai sandbox listening on {url}

  A simulated provider with its own bill. No real model answers, and nothing costs money.

  OpenAI      base_url={url}/v1
  Azure       azure_endpoint={url}        (deployment: any OpenAI model, or sandbox-deployment)
  Anthropic   base_url={url}
  Gemini      base_url={url}
  Bedrock     endpoint_url={url}          (AWS keys {access_key} and {secret_key}, or the API key)
  Vertex AI   base_url={url}              (any project and location; the API key as access token)
  Others      as docs/reference/sandbox.md says; the model's name tells whose a request is
  API key     {key}                 (any that begins with {prefixes})

  Bill        GET  {url}/_sandbox/bill
  Requests    GET  {url}/_sandbox/requests
  Start over  POST {url}/_sandbox/reset

  Every behaviour option of this command is also a request header: {header}tokens: 100
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lensai sandbox", description="A simulated provider that keeps its own bill.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, default=8082, help="port to listen on; 0 takes a free one (default: 8082)")
    parser.add_argument(
        "--accept-key", action="append", metavar="PREFIX", help="accept API keys that begin so (default: sandbox-)"
    )
    behaviour = parser.add_argument_group("behaviour", f"also request headers, as {HEADER_PREFIX}NAME")
    for name, field in _control_fields().items():
        option, description = f"--{name}", str(field["description"])
        if field.get("type") == "boolean":
            behaviour.add_argument(option, default=argparse.SUPPRESS, help=description, action="store_true")
        else:
            behaviour.add_argument(option, default=argparse.SUPPRESS, help=description, metavar=_metavar(field))
    return parser


def _control_fields() -> dict[str, dict[str, object]]:
    """The JSON schema of each control, by its name on the command line."""
    return msgspec.json.schema(Controls)["$defs"]["Controls"]["properties"]


def _metavar(field: dict[str, object]) -> str:
    choices = cast(list[str], field.get("enum", ()))
    return "|".join(sorted(choices)) if choices else "TEXT" if field.get("type") == "string" else "N"


def _options(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> Options:
    """The options these arguments ask for; exits with status 2 on a value that cannot be."""
    asked = {
        name: vars(arguments)[name.replace("-", "_")]
        for name in _control_fields()
        if name.replace("-", "_") in arguments
    }
    try:
        controls = msgspec.convert(asked, Controls, strict=False)
    except msgspec.ValidationError as error:
        parser.error(str(error))
    return Options(controls=controls, key_prefixes=tuple(arguments.accept_key or ("sandbox-",)))


def greeting(host: str, port: int, key_prefixes: Sequence[str]) -> str:
    """What a person needs to call the sandbox; its first line is also what tests wait for."""
    return _GREETING.format(
        url=f"http://{host}:{port}",
        key=key_prefixes[0] + "key",
        access_key=ACCESS_KEY,
        secret_key=SECRET_KEY,
        prefixes=" or ".join(key_prefixes),
        header=HEADER_PREFIX,
    )


async def _run(host: str, port: int, options: Options) -> None:
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    sandbox: Sandbox = await serve(host, port, options)
    print(greeting(host, sandbox.port, options.key_prefixes), flush=True)
    await stopped.wait()
    await sandbox.close()


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM. Returns the exit status."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    options = _options(parser, arguments)
    try:
        uvloop.run(_run(arguments.host, arguments.port, options))
    except OSError as error:
        print(f"lensai sandbox: cannot listen on {arguments.host}:{arguments.port}: {error.strerror}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
