from typing import Any

from gateway.sandbox import Sandbox
from tests.support.sandbox_calls import Told, ask, ask_form, new_sandbox

STORES = "/v1/vector_stores"


def file(sandbox: Sandbox, data: bytes) -> str:
    return ask_form(sandbox, "/v1/files", ("purpose", "assistants"), ("file", ("a.txt", data))).json["id"]


def get(sandbox: Sandbox, path: str) -> Told:
    return ask(sandbox, path, method="GET")


def new_store(sandbox: Sandbox, **more: Any) -> str:
    return ask(sandbox, STORES, {"name": "notes", **more}).json["id"]


def test_a_store_counts_its_files():
    sandbox = new_sandbox()
    one, two = file(sandbox, b"sea"), file(sandbox, b"wind")
    store = new_store(sandbox, file_ids=[one])
    added = ask(sandbox, f"{STORES}/{store}/files", {"file_id": two, "attributes": {"kind": "air"}}).json

    assert (added["id"], added["status"], added["attributes"]) == (two, "completed", {"kind": "air"})
    shown = get(sandbox, f"{STORES}/{store}").json
    assert (shown["usage_bytes"], shown["file_counts"]["completed"]) == (7, 2)
    assert [each["id"] for each in get(sandbox, f"{STORES}/{store}/files?order=asc").json["data"]] == [one, two]
    assert ask(sandbox, f"{STORES}/{store}/files/{one}", method="DELETE").json["deleted"] is True
    assert get(sandbox, f"{STORES}/{store}/files/{one}").status == 404
    assert get(sandbox, f"{STORES}/{store}/files/{two}").json["usage_bytes"] == 4


def test_files_come_in_batches_too():
    sandbox = new_sandbox()
    names = [file(sandbox, data) for data in (b"a", b"b")]
    store = new_store(sandbox)
    batch = ask(sandbox, f"{STORES}/{store}/file_batches", {"file_ids": names}).json

    assert (batch["status"], batch["file_counts"]["total"]) == ("completed", 2)
    path = f"{STORES}/{store}/file_batches/{batch['id']}"
    assert get(sandbox, path).json == batch
    assert len(get(sandbox, path + "/files").json["data"]) == 2
    assert get(sandbox, f"{STORES}/{store}/file_batches/vsfb_x").status == 404


def test_a_search_finds_everything_the_first_best():
    sandbox = new_sandbox()
    store = new_store(sandbox, file_ids=[file(sandbox, b"sea"), file(sandbox, b"wind")])
    told = ask(sandbox, f"{STORES}/{store}/search", {"query": "sea"})

    assert [(each["content"][0]["text"], each["score"]) for each in told.json["data"]] == [("sea", 1.0), ("wind", 0.5)]
    assert (told.json["search_query"], told.entry) == (["sea"], None)
    assert len(ask(sandbox, f"{STORES}/{store}/search", {"query": "a", "max_num_results": 1}).json["data"]) == 1


def test_stores_are_listed_and_deleted():
    sandbox = new_sandbox()
    store = new_store(sandbox)

    assert [each["id"] for each in get(sandbox, STORES).json["data"]] == [store]
    assert ask(sandbox, f"{STORES}/{store}", method="DELETE").json["object"] == "vector_store.deleted"
    for path in ("", "/files", "/files/a", "/file_batches/b/files"):
        assert get(sandbox, f"{STORES}/{store}{path}").status == 404


def test_what_is_not_there_cannot_be_added_or_searched():
    sandbox = new_sandbox()
    store = new_store(sandbox)

    assert ask(sandbox, STORES, {"file_ids": ["file-x"]}).status == 404
    assert ask(sandbox, f"{STORES}/{store}/files", {"file_id": "file-x"}).status == 404
    assert ask(sandbox, f"{STORES}/{store}/search", {"question": "a"}).status == 400
    assert ask(sandbox, f"{STORES}/vs_x/search", {"query": "a"}).status == 404
