import pytest

from control_plane.lake.clickhouse.server import Server, ServerFault, written
from tests.support.processes import free_port


@pytest.mark.parametrize(
    "text", ["", "plain", "it's", 'say "so"', "back\\slash", "a\tb\nc\r", "ünï·✓", "') OR 1=1 --", "\\N"]
)
def test_a_text_arrives_as_it_was_sent(server, text):
    assert server.ask("SELECT {a:String} AS a, {b:Array(String)} AS b", {"a": text, "b": [text, "x"]}).to_pylist() == [
        {"a": text, "b": [text, "x"]}
    ]


def test_numbers_lists_and_null_arrive_as_they_were_sent(server):
    statement = "SELECT {a:Nullable(String)} AS a, {b:Int64} AS b, {c:Array(Int64)} AS c, {d:Array(Float64)} AS d"

    assert server.ask(statement, {"a": None, "b": -5, "c": [1, 2**40], "d": [0.5, 99.0]}).to_pylist() == [
        {"a": None, "b": -5, "c": [1, 2**40], "d": [0.5, 99.0]}
    ]


def test_an_empty_list_is_one():
    assert written([]) == "[]"


def test_what_the_engine_says_of_a_mistake_is_told_and_no_parameter(server):
    with pytest.raises(ServerFault, match=r"answers 400: UNKNOWN_TABLE \(60\)$") as fault:
        server.ask("SELECT * FROM nowhere WHERE x = {a:String}", {"a": "private"})
    assert "private" not in str(fault.value)


def test_a_server_that_is_not_there_is_told():
    server = Server(f"http://user:pa%20ss@127.0.0.1:{free_port()}/lensai")
    with pytest.raises(ServerFault, match=r"cannot be reached: ConnectError$"):
        server.execute("SELECT 1")
    server.close()


@pytest.mark.parametrize("url", ["", "clickhouse://host/db", "/path", "http:///db"])
def test_an_address_that_is_none_is_told_with_a_right_one(url):
    with pytest.raises(ValueError, match="write http://user:password@host:8123/database"):
        Server(url)
