from bench.hotspots import read_stacks

_STACKS = """\
_start (python3.11);run (asyncio/runners.py:118);on_body (gateway/forward.py:40);write (libc.so.6) 6
_start (python3.11);run (asyncio/runners.py:118);on_body (gateway/forward.py:41);PyDict_New (dictobject.c:10) 3
_start (python3.11);run (asyncio/runners.py:118);on_body (gateway/forward.py:41);PyDict_New (dictobject.c:12) 2
_start (python3.11);epoll_pwait (libc.so.6) 1
"""


def test_native_time_is_charged_to_the_python_function_and_line_that_called_it() -> None:
    spots = read_stacks(_STACKS)
    assert spots.samples == 12
    assert spots.by_function == {"on_body (gateway/forward.py)": 11, "_start (python3.11)": 1}
    assert spots.by_line["on_body (gateway/forward.py:40)"] == 6
    assert spots.by_line["on_body (gateway/forward.py:41)"] == 5


def test_the_innermost_frame_is_counted_without_its_line() -> None:
    assert read_stacks(_STACKS).by_leaf == {
        "write (libc.so.6)": 6,
        "PyDict_New (dictobject.c)": 5,
        "epoll_pwait (libc.so.6)": 1,
    }


def test_no_samples_is_an_empty_table() -> None:
    assert read_stacks("").samples == 0
