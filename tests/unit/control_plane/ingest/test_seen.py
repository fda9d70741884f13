from control_plane.ingest.seen import Seen


def test_what_was_added_is_seen_by_its_organization():
    seen = Seen()
    seen.add([("org_1", "a")])
    assert ("org_1", "a") in seen
    assert ("org_2", "a") not in seen


def test_the_oldest_are_forgotten_a_generation_at_a_time():
    seen = Seen(generation_max=10)
    for number in range(25):
        seen.add([("org", str(number))])
    assert [number for number in range(25) if ("org", str(number)) in seen] == list(range(10, 25))
