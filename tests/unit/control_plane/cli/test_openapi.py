import asyncio
import sys

import msgspec


async def test_the_command_prints_the_document_that_is_served(plane):
    served = (await plane.client.get("/docs/openapi.json")).json()
    command = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "control_plane.cli.openapi", stdout=asyncio.subprocess.PIPE
    )
    printed, _ = await command.communicate()
    assert command.returncode == 0
    assert msgspec.json.decode(printed) == served
    assert served["openapi"].startswith("3.1")
