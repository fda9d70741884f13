"""Sans-I/O protocol code: bytes in, values out. No asyncio, time, os or socket."""
