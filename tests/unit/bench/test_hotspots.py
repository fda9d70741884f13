from bench.hotspots import read_stacks

_STACKS = """\
_start (python3.11);run (asyncio/runners.py:118);on_body (gateway/forward.py:40);write (libc.so.6) 6
_start (python3.11);run (asyncio/runners.py:118);on_body (gateway/forward.py:41);PyDict_New (dictobject.c:10) 3
_start (python3.11);run (asyncio/runners.py:118);on_body (gateway/forward.py:42) 2
_start (python3.11);epoll_pwait (libc.so.6) 1
_start (python3.11);write_unicode (libpython3.11.so) 1
"""


def test_native_time_is_charged_to_the_python_function_and_line_that_called_it() -> None:
    spots = read_stacks(_STACKS)
    assert spots.functions == {"on_body (gateway/forward.py)": 5, "_start (python3.11)": 1}
    assert spots.lines["on_body (gateway/forward.py:41)"] == 3
    assert spots.lines["on_body (gateway/forward.py:42)"] == 2


def test_system_calls_are_counted_apart() -> None:
    assert read_stacks(_STACKS).system_calls == {"on_body (gateway/forward.py)": 6, "_start (python3.11)": 1}


def test_no_samples_are_no_rows() -> None:
    spots = read_stacks("")
    assert not spots.functions
    assert not spots.system_calls
