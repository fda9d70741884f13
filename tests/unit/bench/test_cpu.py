import os
import subprocess
import sys

import pytest

from bench.cpu import cpu_time, machine


def test_work_of_this_process_is_counted() -> None:
    start = cpu_time(os.getpid())
    sum(range(2_000_000))
    assert cpu_time(os.getpid()).since(start).total_ns > 1_000_000


def test_work_of_a_child_is_counted() -> None:
    script = "sum(range(2_000_000)); print('done', flush=True); input()"
    start = cpu_time(os.getpid())
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert cpu_time(os.getpid()).since(start).total_ns >= cpu_time(child.pid).total_ns > 1_000_000
        child.communicate(b"\n")


def test_a_process_that_is_gone_raises() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        child.wait()
    with pytest.raises(FileNotFoundError):
        cpu_time(child.pid)


def test_machine_facts_are_filled_in() -> None:
    assert all(machine().values())
