import msgspec

from bench.report import Rounds, Run, markdown
from bench.samples import Samples
from bench.scenarios import Measurement, Scenario, spreads

_JSON = Scenario(name="JSON", connections=1)


def _measured(target: str, cpu_us: int | None, errors: int = 0, total_us: int = 0) -> Measurement:
    samples = Samples()
    samples.total.add(total_us * 1000)
    cpu_ns = None if cpu_us is None else cpu_us * 1000 * 10
    return Measurement(target, 10, errors, 0, 0, cpu_ns, 30, 10, spreads(samples))


def _rounds(*pairs: tuple[int, int]) -> Rounds:
    """Rounds of ten calls each, by the CPU microseconds of nginx and of the gateway."""
    rounds = [{"nginx": _measured("nginx", one), "gateway": _measured("gateway", other)} for one, other in pairs]
    return Rounds(_JSON, rounds, {})


def test_ratio_is_the_median_of_each_rounds_own() -> None:
    rounds = _rounds((20, 40), (40, 120), (10, 15))
    assert rounds.ratios("gateway", "nginx") == [2.0, 3.0, 1.5]
    text = markdown(Run("2026-01-01", {"cores": "2"}, [rounds]))
    assert "| JSON | nginx | 20.0 | call | 25% |  |  |" in text
    assert "| JSON | gateway | 40.0 | call | 25% | **2.00** | 1.50 to 3.00 |" in text


def test_what_a_variant_of_the_gateway_takes_more_is_in_percent() -> None:
    rounds = [
        {"gateway": _measured("gateway", plain), "quotas": _measured("quotas", more)}
        for plain, more in ((100, 110), (200, 204), (100, 120))
    ]
    text = markdown(Run("2026-01-01", {}, [Rounds(_JSON, rounds, {})]))
    assert "| JSON | quotas | **+10.0** | +2.0 to +20.0 |" in text
    assert "| JSON | gateway | **" not in text


def test_what_a_proxy_adds_is_the_median_of_the_rounds_differences() -> None:
    rounds = [
        {"direct": _measured("direct", None, 0, base), "nginx": _measured("nginx", 20, 0, base + more)}
        for base, more in ((100, 50), (9000, 70), (120, -10))
    ]
    scenario = msgspec.structs.replace(_JSON, rate=100)
    result = Rounds(scenario, rounds, {name: measured.spreads for name, measured in rounds[0].items()})
    assert result.added_us("nginx", "direct", "total", "p50_us") == 50
    text = markdown(Run("2026-01-01", {}, [result]))
    assert "| total, µs | direct | 100 | 100 | 100 |  |  |  |" in text
    assert "| total, µs | nginx | 150 | 150 | 150 |  | +50 | +50 |" in text


def test_a_run_with_errors_says_that_it_is_invalid() -> None:
    failed = Rounds(_JSON, [{"gateway": _measured("gateway", 40, errors=2)}], {})
    assert "Invalid: 2 calls failed" in markdown(Run("2026-01-01", {}, [failed]))


def test_events_are_divided_by_events() -> None:
    measured = msgspec.structs.replace(_measured("nginx", 20), events=100)
    assert measured.cpu_us("call") == 20
    assert measured.cpu_us("event") == 2
