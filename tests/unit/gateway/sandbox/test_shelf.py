from gateway.sandbox.shelf import KEPT_MAX, Drawer, Shelf


def test_each_kind_has_a_drawer_of_its_own():
    shelf = Shelf()
    shelf.of(str).put("a", "text")
    shelf.of(int).put("a", 1)

    assert (shelf.of(str).get("a"), shelf.of(int).get("a"), shelf.of(int).get("b")) == ("text", 1, None)


def test_what_is_removed_is_gone_and_what_is_put_again_replaced():
    drawer = Drawer[int]()
    drawer.put("a", 1)
    drawer.put("a", 2)
    drawer.put("b", 3)

    assert list(drawer) == [2, 3]
    assert (drawer.remove("a"), drawer.remove("a"), list(drawer)) == (2, None, [3])


def test_the_oldest_leave_a_full_drawer():
    drawer = Drawer[int]()
    for number in range(KEPT_MAX + 1):
        drawer.put(str(number), number)

    assert (drawer.get("0"), drawer.get("1"), len(list(drawer))) == (None, 1, KEPT_MAX)


def test_a_cleared_shelf_is_empty():
    shelf = Shelf()
    shelf.of(str).put("a", "text")
    shelf.clear()

    assert shelf.of(str).get("a") is None
