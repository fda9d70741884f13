"""The limit of open files is raised as far as the connections need and the system allows; in a process of its own."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("soft", "hard", "missing", "after"),
    [(64, 4096, 0, 1128), (2048, 4096, 0, 2048), (64, 500, 628, 500), (500, 500, 628, 500)],
)
def test_the_limit_is_raised_to_what_is_needed_and_allowed(soft: int, hard: int, missing: int, after: int):
    program = (
        "import resource, sys; from gateway.descriptors import make_room\n"
        f"resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))\n"
        "print(make_room(600, 400), *resource.getrlimit(resource.RLIMIT_NOFILE))"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert said.split() == [str(missing), str(after), str(hard)]
