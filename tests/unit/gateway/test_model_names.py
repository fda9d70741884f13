import msgspec
import pytest

from gateway.examine import Call
from gateway.model_names import names_of
from tests.support.data_plane import upstreams_at
from tests.support.stages import LISTED, request_of, route_of, view_of

UPSTREAMS = upstreams_at(1, "openai")
ROUTE = route_of(request_of("/openai/v1/chat/completions", b"{}"), view_of(UPSTREAMS))


def named(model: str, beside: tuple[str, ...] = (), **models: str) -> tuple[str, ...]:
    upstream = msgspec.structs.replace(ROUTE.destination.upstream, models=models)
    route = msgspec.structs.replace(ROUTE, destination=msgspec.structs.replace(ROUTE.destination, upstream=upstream))
    return names_of(route, Call(model, False, "", b"", False, b"", beside=beside), LISTED)


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ("gpt-4o-mini", ("gpt-4o-mini",)),
        ("gpt-4o-mini-2024-07-18", ("gpt-4o-mini-2024-07-18", "gpt-4o-mini")),
        ("gpt-4o-2024-05-13", ("gpt-4o-2024-05-13",)),  # has a price of its own
        ("nobody-knows-it", ("nobody-knows-it",)),
        ("", ("",)),
    ],
)
def test_a_snapshot_goes_by_the_name_of_its_model_too(asked: str, names: tuple[str, ...]):
    assert named(asked) == names


def test_a_deployment_goes_by_what_it_is_mapped_to_and_by_what_that_is():
    assert named("prod", prod="gpt-4o-2024-08-06") == ("prod", "gpt-4o-2024-08-06", "gpt-4o")
    assert named("prod", prod="house-model") == ("prod", "house-model")


def test_a_call_goes_by_the_names_of_those_that_may_stand_in_for_its_model():
    assert named("a", ("prod", "a", "b"), prod="gpt-4o-2024-08-06") == ("a", "prod", "gpt-4o-2024-08-06", "gpt-4o", "b")
