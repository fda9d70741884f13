"""The tables of operations: what is metered and by which reader, and that what generates is never free."""

import pytest

from gateway.endpoints import APIS, METHODS
from gateway.metering.meter import READERS
from gateway.metering.sessions import SESSIONS

ROWS = [(api, row) for api, rows in APIS.items() for row in rows]
# Words of paths at which a model works, or work is told of that a model did.
GENERATING = (
    "completions", "/embeddings", "/messages", "generatecontent", "predict", "/generations", "/edits", "/variations",
    "/speech", "/transcriptions", "/translations", "/rerank", "/converse", "/invoke", "/embed", "/ocr", "/chat",
    "/generate", "/results", "/realtime", "bidigeneratecontent", "/interactions",
)  # fmt: skip
# Reading what was stored, and classifying.
FREE_ALTHOUGH_NAMED_SO = ("chat.completions.list", "chat.completions.stored", "moderations", "messages.count_tokens")


def test_every_reader_named_exists_and_every_reader_is_named():
    assert {row.endpoint.reader for _, row in ROWS if row.endpoint.reader} == {*READERS, *SESSIONS}


@pytest.mark.parametrize(("api", "row"), ROWS, ids=lambda value: value if isinstance(value, str) else value.path)
def test_whatever_generates_is_metered(api, row):
    generates = row.path.lower().partition("?")[0].endswith(GENERATING)
    assert bool(row.endpoint.reader) or not generates or row.endpoint.name in FREE_ALTHOUGH_NAMED_SO


@pytest.mark.parametrize(("api", "row"), ROWS, ids=lambda value: value if isinstance(value, str) else value.path)
def test_only_what_an_earlier_call_began_is_metered_by_a_get(api, row):
    endpoint = row.endpoint
    assert not (row.method == "GET" and endpoint.reader and not endpoint.retrieves)
    assert not (endpoint.lists and (row.method != "GET" or endpoint.reader))
    assert not (endpoint.splice and endpoint.body != "json")


def test_the_methods_are_those_of_http_that_the_operations_have():
    assert METHODS == ("DELETE", "GET", "POST")
