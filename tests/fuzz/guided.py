"""Owns one target under atheris in a process of its own: `python -m tests.fuzz.guided NAME <arguments of libFuzzer>`.

It ends with the process, by a crash or when its time is up, so it is started by `python -m tests.fuzz`.
"""

import sys

import atheris

with atheris.instrument_imports(include=["gateway", "pricing"]):
    from tests.fuzz.targets import TARGETS


def main(name: str, *arguments: str) -> None:
    atheris.Setup([name, *arguments], TARGETS[name].run)
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
