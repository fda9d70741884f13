from gateway.sandbox import store
from gateway.sandbox.store import Shelf, Store


def test_what_is_put_is_there_until_it_is_taken():
    shelf = Shelf[str]()
    shelf.put("a", "first")
    shelf.put("b", "second")

    assert (shelf.get("a"), list(shelf)) == ("first", ["first", "second"])
    assert (shelf.take("a"), shelf.take("a"), shelf.get("a")) == ("first", None, None)


def test_what_is_put_again_is_the_newest():
    shelf = Shelf[int]()
    for name, item in (("a", 1), ("b", 2), ("a", 3)):
        shelf.put(name, item)

    assert list(shelf) == [2, 3]


def test_the_oldest_make_room_by_number_and_by_bytes(monkeypatch):
    monkeypatch.setattr(store, "ITEMS_MAX", 2)
    monkeypatch.setattr(store, "BYTES_MAX", 10)
    shelf = Shelf[str]()
    for name in "abc":
        shelf.put(name, name, 4)
    assert list(shelf) == ["b", "c"]

    shelf.put("d", "d", 8)
    assert list(shelf) == ["d"]
    shelf.put("e", "e", 50)
    assert list(shelf) == ["e"]


def test_dialects_and_kinds_have_shelves_of_their_own():
    kept = Store()
    kept.shelf("openai", str).put("a", "one")

    assert kept.shelf("openai", str).get("a") == "one"
    assert kept.shelf("azure", str).get("a") is None
    assert kept.shelf("openai", bytes).get("a") is None
    kept.clear()
    assert kept.shelf("openai", str).get("a") is None
