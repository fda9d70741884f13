import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from gateway.supervise import CANNOT_START
from tests.support.children import alive, children
from tests.support.processes import Child, running

# The supervisor needs a main thread and its signals to itself, so it runs in a process of its own.
PROGRAM = """
import os, sys
from gateway.logs import configure_logs, logger
from gateway.supervise import Supervisor

configure_logs(log_format="json")
{before}
sys.exit(Supervisor({stages}, os.environ, logger, stop_timeout_s={stop_timeout_s}).run())
"""
SANDBOX = ("sandbox", "--port", "0")
# What stands before the supervisor's start: children that handle a hangup after a while, and say so; a machine that has
# no room for the second process.
SLOW_CHILD = """
import subprocess
child = '''
import signal, time
print("started", flush=True)
time.sleep(0.5)
signal.signal(signal.SIGHUP, lambda *_: print("told", flush=True))
while True: signal.pause()
'''
popen = subprocess.Popen
subprocess.Popen = lambda words, **more: popen([sys.executable, "-c", child], **more)
"""
NO_ROOM = """
import subprocess
popen, starts = subprocess.Popen, []
def started(words, **more):
    starts.append(words)
    if len(starts) == 2:
        raise BlockingIOError(11, "Resource temporarily unavailable")
    return popen(words, **more)
subprocess.Popen = started
"""
FIRST, SECOND = {"first": SANDBOX}, {"second": (*SANDBOX, "--tokens", "2")}
FIRST_WORDS, SECOND_WORDS = "sandbox --port 0", "sandbox --port 0 --tokens 2"


@contextmanager
def supervising(*stages: dict[str, tuple[str, ...]], stop_timeout_s: float = 10.0, before: str = "") -> Iterator[Child]:
    program = PROGRAM.format(stages=repr(stages), stop_timeout_s=stop_timeout_s, before=before)
    with running((sys.executable, "-c", program)) as supervisor:
        yield supervisor


def wait_for_listening(supervisor: Child, times: int) -> None:
    supervisor.wait_until(lambda: supervisor.output().count("listening on ") == times, f"listening {times} times")


def test_a_signal_ends_all_children_and_the_exit_code_is_0():
    with supervising(FIRST, SECOND) as supervisor:
        wait_for_listening(supervisor, 2)
        family = children(supervisor.pid)
        assert family.keys() == {FIRST_WORDS, SECOND_WORDS}

        assert supervisor.stop() == 0
        assert [pid for pid in family.values() if alive(pid)] == []
        assert "process_" not in supervisor.output()


def test_a_stage_is_told_to_end_when_the_one_before_it_has_ended():
    with supervising(FIRST, SECOND) as supervisor:
        wait_for_listening(supervisor, 2)
        family = children(supervisor.pid)
        os.kill(family[FIRST_WORDS], signal.SIGSTOP)
        supervisor.wait_until(lambda: status(family[FIRST_WORDS], "State") == "T", "frozen")
        supervisor.send(signal.SIGTERM)
        supervisor.wait_until(lambda: sigterm_is_pending(family[FIRST_WORDS]), "stopping the first stage")
        assert alive(family[SECOND_WORDS])

        os.kill(family[FIRST_WORDS], signal.SIGCONT)
        assert supervisor.wait() == 0
        assert not alive(family[SECOND_WORDS])


def status(pid: int, field: str) -> str:
    """The first word of one line of the kernel's page about a process."""
    with open(f"/proc/{pid}/status") as lines:
        return next(line.split()[1] for line in lines if line.startswith(field + ":"))


def sigterm_is_pending(pid: int) -> bool:
    return bool(int(status(pid, "ShdPnd"), 16) >> (signal.SIGTERM - 1) & 1)


def test_a_child_that_dies_is_restarted_and_the_others_run_on():
    with supervising(FIRST, SECOND) as supervisor:
        wait_for_listening(supervisor, 2)
        before = children(supervisor.pid)
        os.kill(before[FIRST_WORDS], signal.SIGKILL)
        wait_for_listening(supervisor, 3)

        after = children(supervisor.pid)
        assert after[FIRST_WORDS] != before[FIRST_WORDS]
        assert after[SECOND_WORDS] == before[SECOND_WORDS]
        assert '"event":"process_died","child":"first","code":-9' in supervisor.output()
        assert supervisor.stop() == 0


def test_a_child_that_cannot_start_ends_the_others_with_its_code():
    with supervising(FIRST, {"second": ("nonsense",)}) as supervisor:
        assert supervisor.wait() == CANNOT_START
        assert "no command 'nonsense'" in supervisor.output()
        assert "process_" not in supervisor.output()


def test_a_hangup_is_passed_on_and_ends_no_child_that_does_not_handle_it_yet():
    with supervising(FIRST, before=SLOW_CHILD) as supervisor:
        supervisor.wait_for_output("started")

        def told() -> bool:
            supervisor.send(signal.SIGHUP)
            return "told" in supervisor.output()

        supervisor.wait_until(told, "told of a hangup")
        assert supervisor.output().count("started") == 1
        assert supervisor.stop() == 0  # with its child


def test_a_child_that_the_machine_has_no_room_for_is_started_later():
    with supervising(FIRST, SECOND, before=NO_ROOM) as supervisor:
        wait_for_listening(supervisor, 2)
        assert '"event":"process_not_started","child":"second"' in supervisor.output()
        assert supervisor.stop() == 0


def test_a_child_that_never_started_keeps_nobody_from_ending():
    with supervising(FIRST, SECOND, before=NO_ROOM.replace("== 2", ">= 2")) as supervisor:
        wait_for_listening(supervisor, 1)
        (pid,) = children(supervisor.pid).values()
        assert supervisor.stop() == 0
        assert not alive(pid)


def test_a_child_that_does_not_end_in_time_is_killed_and_told_of():
    with supervising(FIRST, stop_timeout_s=0.1) as supervisor:
        wait_for_listening(supervisor, 1)
        (pid,) = children(supervisor.pid).values()
        os.kill(pid, signal.SIGSTOP)

        assert supervisor.stop() == 1
        assert not alive(pid)
        assert '"event":"process_not_stopped","child":"first","code":-9' in supervisor.output()
