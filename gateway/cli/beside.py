"""Owns making a control plane ready that `lensai up` runs beside the gateway, where one is installed.

It is another package: it is asked by its command, and answers in a line of JSON.
"""

import shlex
import subprocess
import sys
from collections.abc import Mapping

import msgspec

from gateway.settings import PREFIX, Settings

COMMAND = "control-plane"
# A first start makes the database; a busy machine takes some seconds to import everything.
PREPARE_TIMEOUT_S = 60.0
_DATA_DIR = f"{PREFIX}CONTROL_DATA_DIR"


class Beside(msgspec.Struct, frozen=True):
    """Where it will be, the owner and their sign-in link if it was just made, and variables for it and the gateway."""

    url: str
    owner: str
    sign_in: str | None
    environ: dict[str, str]


class NotReady(Exception):
    """It cannot run; the message is its own."""


def prepare(settings: Settings, environ: Mapping[str, str], gateway_url: str = "") -> Beside:
    """`gateway_url` is where applications reach the gateway; empty if that cannot be told. Raises NotReady."""
    own = {
        f"{PREFIX}CONTROL_GATEWAY_URL": gateway_url,
        _DATA_DIR: settings.data_dir,
        f"{PREFIX}CONTROL_LAKE_URL": settings.lake_url,
        f"{PREFIX}CONTROL_LOG_FORMAT": settings.log_format,
        f"{PREFIX}CONTROL_LOG_LEVEL": settings.log_level,
    }
    command = (sys.executable, "-m", "gateway", COMMAND, "prepare")
    try:
        done = subprocess.run(  # noqa: S603 - our own program, named arguments
            command, env={**own, **environ}, capture_output=True, text=True, timeout=PREPARE_TIMEOUT_S, check=False
        )
        if done.returncode:
            raise NotReady(done.stderr.strip() or f"{COMMAND} prepare ended with code {done.returncode}")
        made = msgspec.json.decode(done.stdout.splitlines()[-1], type=Beside)
    except (subprocess.TimeoutExpired, msgspec.MsgspecError, IndexError) as fault:
        raise NotReady(f"lensai {COMMAND}: it does not get ready ({type(fault).__name__})") from None
    return Beside(made.url, made.owner, made.sign_in, {**own, **made.environ})


def render(beside: Beside) -> str:
    """What to open, and how to get in."""
    if beside.sign_in:
        sign_in = f"Sign in as its owner, within 15 minutes: {beside.sign_in}"
    else:
        data_dir = beside.environ.get(_DATA_DIR, Settings().data_dir)
        where = "" if data_dir == Settings().data_dir else f"{_DATA_DIR}={shlex.quote(data_dir)} "
        sign_in = f"A new link to sign in: {where}lensai {COMMAND} sign-in {shlex.quote(beside.owner)}"
    return f"The control plane is at {beside.url}, its API is described at {beside.url}/docs\n{sign_in}"
