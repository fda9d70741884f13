"""Who may import whom. The table is the architecture; a module without a row has no place in it yet."""

import ast
import re
import sys
import tomllib

from tests.tidy.tree import PACKAGES, ROOT, module, python_files, syntax

# Values and tables that every part of the request path may know.
VALUES = (
    "gateway.contract", "gateway.endpoints", "gateway.faults", "gateway.metering", "gateway.policy",
    "gateway.providers", "gateway.proxy", "gateway.request", "gateway.settings", "gateway.signing",
    "gateway.tls_files", "gateway.wire", "pricing",
)  # fmt: skip

# One request, top to bottom; a stage imports only what stands before it.
STAGES = (
    "gateway.identify", "gateway.route", "gateway.examine", "gateway.outgoing", "gateway.admit",
    "gateway.forward", "gateway.settle", "gateway.summarize",
)  # fmt: skip

MAY_IMPORT = {
    "pricing": ("pricing",),
    "gateway.contract": ("gateway.contract", "pricing.money"),
    "gateway.wire": ("gateway.wire",),
    "gateway.metering": ("gateway.metering", "gateway.wire", "pricing.usage"),
    "gateway.journal": ("gateway.journal",),
    "gateway.ledger": ("gateway.ledger", "pricing.money"),
    "gateway.ledger_watch": ("gateway.ledger.store",),
    "gateway.lake": ("gateway.lake", "gateway.contract.record", "gateway.journal.reader", "pricing.money"),
    # Tables and values.
    "gateway.endpoints": (),
    "gateway.providers": ("gateway.endpoints",),
    "gateway.faults": ("gateway.endpoints", "gateway.wire", "pricing.money"),
    "gateway.budgets_page": (
        "gateway.contract", "gateway.faults", "gateway.ledger", "gateway.quota_rules", "pricing.money",
    ),
    "gateway.quota_words": ("gateway.contract.policy", "gateway.faults", "pricing.money"),
    "gateway.request": ("gateway.wire",),
    "gateway.declared": (),
    "gateway.settings": ("gateway.contract.rings", "gateway.declared", "gateway.proxy", "gateway.toml_text"),
    "gateway.toml_text": (),
    "gateway.proxy": (),
    "gateway.tls_files": (),
    "gateway.private_file": (),
    "gateway.signing": (),
    "gateway.claims": (),
    "gateway.problems": (),
    "gateway.quota_rules": ("gateway.contract.policy", "gateway.problems", "gateway.providers"),
    "gateway.quota_toml": ("gateway.contract.policy", "gateway.quota_rules", "gateway.toml_text", "pricing.money"),
    "gateway.policy_rules": (
        "gateway.contract.policy", "gateway.endpoints", "gateway.problems", "gateway.providers", "gateway.proxy",
        "gateway.quota_rules", "gateway.wire.headers", "pricing.overrides",
    ),
    "gateway.policy_toml": (
        "gateway.contract.policy", "gateway.policy_rules", "gateway.providers", "gateway.quota_rules",
        "gateway.quota_toml", "gateway.tls_files", "gateway.toml_text",
    ),
    "gateway.callers": ("gateway.contract.policy",),
    "gateway.published": ("gateway.callers", "gateway.contract", "gateway.policy_rules"),
    "gateway.published_file": (
        "gateway.contract.publishing", "gateway.journal.frame", "gateway.private_file", "gateway.published",
    ),
    "gateway.policy": (
        "gateway.callers", "gateway.contract", "gateway.policy_rules", "gateway.policy_toml", "gateway.private_file",
        "gateway.published", "gateway.published_file",
    ),
    "gateway.price_lists": ("gateway.contract.policy", "gateway.policy", "pricing"),
    # The request path.
    **{stage: (*VALUES, *STAGES[:place], "gateway.ledger.base") for place, stage in enumerate(STAGES)},
    # What a call can cost at most, between examine and admit.
    "gateway.bounds": ("gateway.bounds", "gateway.wire", "pricing.bound", "pricing.usage"),
    "gateway.worst_usage": (*VALUES, "gateway.bounds"),
    "gateway.worst_case": (*VALUES, *STAGES[:3], "gateway.bounds", "gateway.worst_usage"),
    "gateway.model_names": STAGES[1:3],
    "gateway.kill_switch": (*VALUES, *STAGES[:3], "gateway.model_names"),
    # What quotas ask of a call before it is sent, and how they answer.
    "gateway.quotas": (*VALUES, *STAGES[:3], "gateway.ledger.base", "gateway.ledger.window", "gateway.model_names"),
    "gateway.cap": VALUES,
    "gateway.cardinality": ("gateway.ledger.base", "gateway.ledger.window", "gateway.quotas"),
    "gateway.enforce": (
        *VALUES, *STAGES[:3], "gateway.cap", "gateway.cardinality", "gateway.kill_switch", "gateway.ledger.base",
        "gateway.ledger.window",
        "gateway.model_names", "gateway.quota_numbers", "gateway.quota_words", "gateway.quotas", "gateway.worst_case",
    ),
    "gateway.quota_numbers": (
        "gateway.budgets_page", "gateway.contract.policy", "gateway.faults", "gateway.ledger.base",
        "gateway.ledger.window", "pricing.money",
    ),
    "gateway.books": (
        "gateway.contract.record", "gateway.faults", "gateway.journal.checkpoint", "gateway.journal.disk",
        "gateway.journal.frame", "gateway.ledger",
    ),
    # Beside the request path: what a control plane publishes, and what it is told.
    "gateway.feed": ("gateway.contract.publishing",),
    "gateway.subscribe": (
        "gateway.contract.publishing", "gateway.contract.rings", "gateway.faults", "gateway.feed", "gateway.policy",
        "gateway.settings", "gateway.tls_files",
    ),
    "gateway.crossings": (
        "gateway.journal.disk", "gateway.journal.frame", "gateway.journal.writer", "gateway.ledger.base",
        "gateway.private_file",
    ),
    "gateway.report": (
        "gateway.budgets_page", "gateway.contract", "gateway.crossings", "gateway.ledger.base",
        "gateway.ledger.window", "gateway.policy", "gateway.quota_rules",
    ),
    "gateway.link": ("gateway.report", "gateway.settings", "gateway.subscribe", "gateway.telemetry"),
    "gateway.tap": VALUES,
    "gateway.examine_socket": (*VALUES, *STAGES[:3]),
    "gateway.session_tap": (*VALUES, "gateway.examine_socket"),
    "gateway.tunnel": (*VALUES, "gateway.examine_socket", "gateway.session_tap"),
    "gateway.forward": (
        *VALUES, *STAGES[:5], "gateway.enforce", "gateway.session_tap", "gateway.tap", "gateway.tunnel",
        "gateway.upstream",
    ),
    "gateway.summarize": (*VALUES, *STAGES[:7], "gateway.session_tap"),
    "gateway.connect": (*VALUES, "gateway.blocking", "gateway.route"),
    "gateway.upstream": (*VALUES, "gateway.background", "gateway.connect", "gateway.route"),
    "gateway.connection": (*VALUES, "gateway.forward", "gateway.route", "gateway.tunnel"),
    "gateway.holding": (
        *VALUES, *STAGES, "gateway.background", "gateway.enforce", "gateway.journal.writer", "gateway.ledger.base",
        "gateway.quotas",
    ),
    "gateway.pipeline": (
        *VALUES, *STAGES, "gateway.background", "gateway.claims", "gateway.enforce", "gateway.examine_socket",
        "gateway.holding", "gateway.journal.writer", "gateway.logs", "gateway.quotas", "gateway.session_tap",
        "gateway.telemetry", "gateway.upstream",
    ),
    # What is seen from outside.
    "gateway.background": (),
    "gateway.descriptors": (),
    "gateway.blocking": (),
    "gateway.heartbeat": (),
    "gateway.supervise": (),
    "gateway.logs": (),
    "gateway.metrics": (),
    "gateway.metric_families": ("gateway.metrics",),
    "gateway.telemetry": ("gateway.contract.record", "gateway.metric_families", "gateway.metrics", "pricing.money"),
    "gateway.admin": ("gateway.logs",),
    # A simulated provider must not share the gateway's mistakes.
    "gateway.sandbox": ("gateway.sandbox",),
}  # fmt: skip

# What every feature of the control plane stands on; a feature never imports another's service or routes.
BASE = (
    "control_plane.api", "control_plane.audit", "control_plane.auth", "control_plane.clock", "control_plane.db",
    "control_plane.keyring", "control_plane.settings", "control_plane.work", "gateway.contract", "pricing",
)  # fmt: skip
TABLES = tuple(
    f"control_plane.{feature}.tables"
    for feature in ("alerts", "billing", "budgets", "keys", "kill_switch", "projects", "providers")
)
MAY_IMPORT |= {
    "control_plane.clock": (),
    "control_plane.keyring": ("gateway.contract.rings",),
    "control_plane.settings": ("control_plane.keyring", "gateway.declared"),
    "control_plane.key_file": ("control_plane.keyring", "control_plane.settings", "gateway.private_file"),
    "control_plane.work": ("control_plane.auth.principal", "control_plane.keyring", "control_plane.settings"),
    "control_plane.jobs": ("control_plane.db", "control_plane.jobs"),
    "control_plane.mail": ("control_plane.settings",),
    "control_plane.outgoing": (),
    "control_plane.lake": (
        "control_plane.clock", "control_plane.ingest.landed", "control_plane.jobs.runner", "control_plane.keyring",
        "control_plane.lake", "gateway.contract.counter_names", "gateway.contract.record", "gateway.journal.checkpoint",
        "gateway.journal.reader", "gateway.lake", "gateway.ledger.embedded", "pricing",
    ),
    "control_plane.analytics": (
        *BASE, *TABLES, "control_plane.analytics", "control_plane.lake.query", "control_plane.lake.scope",
        "gateway.lake.schema", "gateway.providers",
    ),
    "control_plane.backtest": (
        *BASE, *TABLES, "control_plane.backtest", "control_plane.lake.calls", "control_plane.lake.query",
        "gateway.ledger.window", "gateway.model_names", "gateway.providers", "gateway.quota_rules",
    ),
    "control_plane.reconciliation": (
        *BASE, *TABLES, "control_plane.reconciliation", "control_plane.lake.calls", "control_plane.lake.query",
    ),
    "control_plane.operating": (
        *BASE, *TABLES, "control_plane.operating", "control_plane.lake.curated", "control_plane.lake.waiting",
        "control_plane.publish.tables", "gateway.lake.store", "gateway.metrics",
        "gateway.metric_families",
    ),
    "control_plane.retention": (*BASE, *TABLES, "control_plane.retention", "control_plane.lake"),
    "control_plane.declared": ("control_plane.declared",),
    "control_plane.ingest": (
        *BASE, "control_plane.ingest", "control_plane.projects.tables", "control_plane.providers.tables",
        "gateway.identify", "gateway.journal", "gateway.lake", "gateway.private_file", "gateway.providers",
    ),
    "control_plane.ui": (
        "control_plane.api.problems", "control_plane.auth.principal", "control_plane.auth.sign_in_page",
        "control_plane.ui",
    ),
    "control_plane.publish": (*BASE, *TABLES, "control_plane.publish", "gateway.policy_rules"),
    **{
        f"control_plane.{feature}": (
            *BASE, *TABLES, f"control_plane.{feature}", "control_plane.jobs.runner", "control_plane.mail",
            "control_plane.lake.query", "control_plane.outgoing", "control_plane.publish", "gateway.endpoints",
            "gateway.identify", "gateway.ledger", "gateway.policy_rules", "gateway.problems", "gateway.providers",
            "gateway.proxy", "gateway.quota_rules",
        )
        for feature in ("alerts", "billing", "budgets", "keys", "kill_switch", "projects", "providers")
    },
}  # fmt: skip
# The base knows no feature. It publishes; the database knows every table where the schema is put together.
_BASE_MAY = (*BASE, "control_plane.jobs.runner", "control_plane.mail", "control_plane.publish", "gateway.identify")
MAY_IMPORT |= dict.fromkeys(("control_plane.api", "control_plane.audit", "control_plane.auth"), _BASE_MAY)
MAY_IMPORT["control_plane.db"] = ("control_plane",)

# Where parts are put together; these may import everything but the control plane.
ROOTS = (
    "gateway.__main__", "gateway.cli", "gateway.server",
    "control_plane.app", "control_plane.cli", "control_plane.serve",
)  # fmt: skip

SANS_IO = frozenset({"asyncio", "time", "os", "socket", "threading", "subprocess"})
NEVER_IMPORTS = {
    "gateway.wire": SANS_IO, "gateway.metering": SANS_IO, "gateway.bounds": SANS_IO, "gateway.worst_case": SANS_IO,
    "gateway.worst_usage": SANS_IO,
    "gateway.feed": SANS_IO, "gateway.published": SANS_IO, "pricing": SANS_IO,
}  # fmt: skip

# Slow or heavy libraries, and the only parts of the gateway that may use them.
ONLY_HOME = {
    "deltalake": ("control_plane.lake.table",),
    "pyarrow": (
        "control_plane.analytics",
        "control_plane.ingest",
        "control_plane.lake",
        "control_plane.reconciliation.aws_cur",
        "gateway.lake",
    ),
    "obstore": ("gateway.lake", "control_plane.lake"),
    "rich": ("gateway.cli",),
    "genai_prices": ("pricing",),
    "litestar": ("control_plane",),
    "sqlalchemy": ("control_plane",),
    "alembic": ("control_plane",),
    "uvicorn": ("control_plane",),
    "cryptography": ("control_plane",),
    "asyncpg": (),
    "botocore": ("gateway.signing",),
    "redis": ("gateway.ledger.redis",),
    "httpx": ("control_plane", "gateway.subscribe"),
    "aiohttp": (),
    "requests": (),
    "duckdb": ("control_plane.analytics", "control_plane.backtest.history", "control_plane.lake"),
}


# Installed for another library, which uses it where it finds it: redis parses answers with hiredis, SQLAlchemy speaks
# to databases with aiosqlite and asyncpg, litestar needs PyYAML to import its OpenAPI plugins.
USED_BY_OTHERS = {"hiredis", "aiosqlite", "asyncpg", "pyyaml"}
# Where a distribution is imported by another name.
IMPORTED_AS = {"pyyaml": "yaml", "python_ulid": "ulid"}


def imports(tree: ast.Module) -> set[str]:
    """Dotted names a source imports, wherever in it; `from a import b` counts as a.b."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def within(dotted: str, prefixes: tuple[str, ...]) -> bool:
    return any(dotted == prefix or dotted.startswith(prefix + ".") for prefix in prefixes)


SOURCES = {module(path): imports(syntax(path)) for path in python_files(*PACKAGES)}
EDGES = [(source, target) for source, targets in SOURCES.items() for target in sorted(targets)]


def test_a_part_imports_only_what_the_table_allows():
    wrong = [
        f"{source} imports {target}"
        for source, target in EDGES
        for part, allowed in MAY_IMPORT.items()
        if within(source, (part,)) and within(target, PACKAGES) and not within(target, allowed)
    ]
    assert wrong == []


def test_every_module_has_its_place_in_the_table():
    placed = (*MAY_IMPORT, *ROOTS)
    parts = [source for source in SOURCES if source not in ("gateway", "control_plane")]
    assert [source for source in parts if not within(source, placed)] == []


def test_the_gateway_never_imports_the_control_plane():
    own = [(source, target) for source, target in EDGES if not within(source, ("control_plane",))]
    assert [edge for edge in own if within(edge[1], ("control_plane",))] == []


def test_parsers_meters_and_prices_do_no_io_and_know_no_clock():
    wrong = [
        f"{source} imports {target}"
        for source, target in EDGES
        for part, banned in NEVER_IMPORTS.items()
        if within(source, (part,)) and target.split(".")[0] in banned
    ]
    assert wrong == []


def test_heavy_libraries_stay_in_their_one_home():
    wrong = [
        f"{source} imports {target}"
        for source, target in EDGES
        for library, homes in ONLY_HOME.items()
        if within(target, (library,)) and not within(source, homes)
    ]
    assert wrong == []


def test_the_libraries_imported_are_exactly_the_declared_dependencies():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = {re.split(r"[\[<>=]", dependency)[0].replace("-", "_") for dependency in project["dependencies"]}
    declared = {IMPORTED_AS.get(name, name) for name in names}
    imported = {target.split(".")[0] for _, target in EDGES}
    assert imported - sys.stdlib_module_names - set(PACKAGES) == declared - USED_BY_OTHERS
