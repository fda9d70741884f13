"""The data plane: a streaming reverse proxy that meters, prices and journals every call."""
