"""The provider simulator: twenty-one providers on one port, strict, with a bill of its own.

It is where a newcomer without keys points the gateway, and the oracle of our tests. It imports nothing
else of ours: what judges metering and prices must not share code with them.
"""

from gateway.sandbox.controls import Controls
from gateway.sandbox.server import Options, Sandbox, serve

__all__ = ["Controls", "Options", "Sandbox", "serve"]
