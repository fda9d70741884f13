# pyright: reportMissingTypeStubs=false
import duckdb
import pytest

from control_plane.lake.clickhouse.words import SETTINGS, in_clickhouse, without_remarks

# Of every word one statement, whose answer is the same.
STATEMENTS = [
    "SELECT * EXCLUDE (b) FROM (SELECT 1 AS a, 2 AS b)",
    "SELECT array_to_string(['x', 'y'], ';') AS a",
    "SELECT CAST(cardinality(map(['x'], [1])) AS BIGINT) AS a, CAST(len(['x', 'y']) AS BIGINT) AS b",
    "SELECT CAST(epoch(CAST('2026-11-26 10:30:00' AS TIMESTAMPTZ)) AS BIGINT) AS a",
    "SELECT epoch_us(make_timestamptz(1790000000123456)) AS a",
    "SELECT list_contains(['x', 'y'], 'y') AS a, list_has_any(['x'], ['y', 'z']) AS b",
    "SELECT list_sort(list_distinct(['y', 'x', 'y'])) AS a",
    """SELECT CAST(to_json(map(a, list_resize([true], len(a), true))) AS VARCHAR) AS b FROM (SELECT ['x', '"'] AS a)""",
    """SELECT CAST(to_json(map(['a/b', 'c"d'], ['x/y', NULL])) AS VARCHAR) AS a""",
    "SELECT CAST(to_json(map(['n'], [CAST(9007199254740993 AS BIGINT)])) AS VARCHAR) AS a",
    "SELECT unnest(['x', 'y']) AS a",
    """SELECT CAST(epoch(hour) AS BIGINT) AS a FROM (
        SELECT time_bucket(INTERVAL 15 MINUTE, ts) AS hour FROM (SELECT make_timestamptz(1790000000000000) AS ts)
    )""",
    "SELECT sum(a) AS a, CAST(NULL AS BIGINT) AS b FROM (SELECT 1 AS a) WHERE a > 1",
    "SELECT 'unnest len' AS a",
]


@pytest.mark.parametrize("statement", STATEMENTS, ids=range(len(STATEMENTS)))
def test_a_statement_means_the_same_to_both_engines(server, statement):
    answer = server.ask(f"{in_clickhouse(statement)} {SETTINGS}", {})
    with duckdb.connect() as duck:
        duck.execute("SET TimeZone = 'UTC'")
        assert answer.to_pylist() == duck.sql(statement).to_arrow_table().to_pylist()


def test_a_parameter_has_the_type_that_is_written_down_for_it():
    assert in_clickhouse("SELECT $limit, getvariable('tag')") == "SELECT {limit:UInt32}, {tag:Array(String)}"
    with pytest.raises(KeyError):
        in_clickhouse("SELECT $anything")


def test_remarks_are_no_part_of_a_statement():
    assert without_remarks("-- One; two.\nSELECT 1\n    -- Three.\n+ 1\n") == "SELECT 1\n+ 1"
