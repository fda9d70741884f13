from msgspec.structs import replace

from control_plane.audit.chain import GENESIS, Broken, Entry, link_hash, verify


def chain(length):
    entries, previous = [], GENESIS
    for number in range(1, length + 1):
        entry = Entry("org_1", number, number, "user:a", "thing:verb", "thing:1", {"after": {"n": number}}, previous)
        entries.append(replace(entry, hash=link_hash(entry)))
        previous = entries[-1].hash
    return entries


def test_a_chain_as_it_was_written_holds_whole_and_in_pieces():
    entries = chain(5)
    assert verify(entries) is None
    assert verify(entries[3:], 3, entries[2].hash) is None
    assert verify([]) is None


def test_the_hash_is_of_what_is_said_in_any_order_of_fields():
    first, second = ({"a": 1, "b": 2}, {"b": 2, "a": 1})
    entry = chain(1)[0]
    assert link_hash(replace(entry, meta=first)) == link_hash(replace(entry, meta=second, hash="x"))


def test_c15_an_edit_is_found():
    for change in ({"actor": "user:b"}, {"at_ms": 9}, {"meta": {}}, {"subject": "x"}, {"org_id": "o"}, {"hash": "0"}):
        entries = chain(3)
        entries[1] = replace(entries[1], **change)
        assert verify(entries) == Broken(2, "it was changed after it was written")


def test_an_edit_that_hashes_itself_anew_breaks_the_next():
    entries = chain(3)
    edited = replace(entries[1], actor="user:b")
    entries[1] = replace(edited, hash=link_hash(edited))
    assert verify(entries) == Broken(3, "it does not follow the entry before it")


def test_c15_a_gap_is_found():
    assert verify(chain(3)[1:]) == Broken(1, "entry 1 is missing: the next is 2")
    entries = chain(4)
    del entries[2]
    assert verify(entries) == Broken(3, "entry 3 is missing: the next is 4")


def test_a_swap_is_found():
    entries = chain(4)
    entries[1], entries[2] = replace(entries[2], number=2), replace(entries[1], number=3)
    assert verify(entries) == Broken(2, "it does not follow the entry before it")
