"""Owns `python -m control_plane.cli.openapi`: the API described as JSON, without a database and without a server."""

import sys
import tempfile
from typing import Any

import msgspec

from control_plane.app import Parts, create_app
from control_plane.keyring import Keyring
from control_plane.settings import Settings


def document() -> dict[str, Any]:
    """The OpenAPI document that a running control plane serves at /docs/openapi.json."""
    with tempfile.TemporaryDirectory() as directory:
        ring = Keyring({"none": bytes(32)})
        app = create_app(Parts(Settings(data_dir=directory), ring, ring))
        return app.openapi_schema.to_schema()


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(document()), indent=1) + b"\n")
