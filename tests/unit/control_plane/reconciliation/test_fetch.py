from collections.abc import Iterator
from datetime import date

import httpx
import pytest

from control_plane.reconciliation.fetch import PAGES_MAX, REPORTS, TRIES_MAX, FetchFailed, fetch
from control_plane.reconciliation.sources import SOURCES
from tests.support.provider_accounts import KEY, Accounts, accounts

FROM, TO = date(2026, 11, 22), date(2026, 11, 24)


@pytest.fixture
def provider() -> Iterator[Accounts]:
    with accounts() as told:
        yield told


async def fetched(provider, source, key=KEY, to_day=TO, slept=None):
    async def sleep(seconds):
        if slept is not None:
            slept.append(seconds)

    async with httpx.AsyncClient(base_url=provider.url) as client:
        return SOURCES[source].read(await fetch(client, source, key, FROM, to_day, sleep))


async def test_every_page_of_every_report_is_read(provider):
    costs = {"amount": {"value": 0.5, "currency": "usd"}, "line_item": "gpt-4o, output"}
    for day in ("2026-11-22", "2026-11-24"):
        provider.results["/v1/organization/costs", day] = [costs]
    account = await fetched(provider, "openai_costs")
    assert [line.day.isoformat() for line in account.lines] == ["2026-11-22", "2026-11-24"]
    assert (account.from_day, account.to_day, account.next_page) == (FROM, TO, None)
    assert provider.asked == ["/v1/organization/costs"] * 3


@pytest.mark.parametrize("source", REPORTS)
async def test_each_report_is_asked_for_as_its_provider_expects(provider, source):
    account = await fetched(provider, source)
    assert (account.from_day, account.to_day, account.lines) == (FROM, TO, ())
    assert set(provider.asked) == set(REPORTS[source].paths)


@pytest.mark.parametrize("source", ["openai_usage", "anthropic_costs"])
async def test_a_key_that_is_no_admin_key_is_named_and_never_repeated(provider, source):
    with pytest.raises(FetchFailed, match="admin key") as fault:
        await fetched(provider, source, key="sk-wrong")
    assert "sk-wrong" not in str(fault.value)


async def test_who_is_told_to_wait_waits_as_long_and_asks_again(provider):
    provider.refuse_first, slept = 2, []
    await fetched(provider, "anthropic_usage", slept=slept)
    assert slept == [7.0, 7.0]


async def test_a_provider_that_fails_on_and_on_is_given_up(provider):
    provider.refuse_first, provider.status_first, slept = TRIES_MAX, 503, []
    with pytest.raises(FetchFailed, match=f"HTTP 503 .*{TRIES_MAX} times"):
        await fetched(provider, "openai_usage", slept=slept)
    assert slept == [2.0, 4.0, 8.0, 16.0]


async def test_so_many_pages_and_no_more(provider):
    with pytest.raises(FetchFailed, match=str(PAGES_MAX)):
        await fetched(provider, "openai_costs", to_day=date(2027, 2, 1))


async def test_a_provider_that_is_not_there_is_said_to_be(provider):
    async with httpx.AsyncClient(base_url="http://127.0.0.1:1") as client:
        with pytest.raises(FetchFailed, match="not reached"):
            await fetch(client, "openai_costs", KEY, FROM, TO, lambda _: None)  # type: ignore[arg-type, return-value]
