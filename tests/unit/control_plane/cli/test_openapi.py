import subprocess
import sys

import msgspec

from control_plane.cli.openapi import document


async def test_it_is_the_document_that_is_served(plane):
    served = (await plane.client.get("/docs/openapi.json")).json()
    assert msgspec.json.decode(msgspec.json.encode(document())) == served


def test_the_command_prints_json():
    done = subprocess.run([sys.executable, "-m", "control_plane.cli.openapi"], capture_output=True, check=True)
    assert msgspec.json.decode(done.stdout)["openapi"].startswith("3.1")
