"""Owns the scripts of gateway/ledger/lua once more, in Python: what a server does with one hash.

The contract tests compare the two, answer by answer and field by field; the simulation runs on this one.
"""

from gateway.ledger.base import AMOUNT_MAX
from gateway.ledger.store import Answer, Beat, Fence, Statement

DEMAND_MS = 1000
DEAD_MS = 5000
LACKS_MS = 1000
SLICES = 4
UNLIMITED_SLICE = 16

Hash = dict[str, str]


def _number(stored: Hash, field: str) -> int:
    return int(stored.get(field, "0"))


def _sum(stored: Hash, prefix: str) -> int:
    """Of all nodes, less what was given back."""
    all, back = (sum(int(value) for field, value in stored.items() if field.startswith(p)) for p in (prefix, "back:"))
    return max(min(all, AMOUNT_MAX) - back, 0)


def sync(stored: Hash, said: Statement, run: str, now_ms: int) -> Answer:
    """sync.lua but for how long the hash is kept."""
    node, known_epoch = said.node, _number(stored, f"epoch:{said.node}")
    if known_epoch > said.epoch:
        return _answer(stored, said, run, now_ms, "fenced", ())
    if known_epoch == said.epoch and _number(stored, f"seq:{node}") >= said.seq:
        return _answer(stored, said, run, now_ms, "old", ())
    if known_epoch == 0 and not (said.claim or said.back or said.need or said.want or said.more):
        return _answer(stored, said, run, now_ms, "ok", ())
    _write(stored, said, known_epoch)
    if said.run == run and said.limit is not None and said.asks:
        _grant(stored, said, now_ms)
    return _answer(stored, said, run, now_ms, "ok", _marks(stored, said))


def _write(stored: Hash, said: Statement, known_epoch: int) -> None:
    node, spent = said.node, said.spent
    back = max(said.back, _number(stored, f"back:{node}"))
    claim = min(said.claim + back - said.back, AMOUNT_MAX)
    if said.keep and known_epoch < said.epoch:
        spent = max(spent, _number(stored, f"claim:{node}"))
    spent = max(spent, _number(stored, f"spent:{node}"))
    version = str(_number(stored, "version") + 1)
    stored["version"] = version
    stored[f"epoch:{node}"], stored[f"seq:{node}"] = str(said.epoch), str(said.seq)
    stored[f"spent:{node}"], stored[f"claim:{node}"] = str(spent), str(max(claim, spent))
    if back:
        stored[f"back:{node}"] = str(back)
    if said.gives:
        stored[f"gave:{node}"] = version


def _grant(stored: Hash, said: Statement, now_ms: int) -> None:
    field = f"claim:{said.node}"
    claim, free = _number(stored, field), max((said.limit or 0) - _sum(stored, "claim:"), 0)
    recalled = _number(stored, "demand") > now_ms
    if said.need > free:
        stored["demand"] = str(now_ms + DEMAND_MS)
    elif not (recalled and said.need == 0):
        portion = said.need if recalled else max(said.want, free // (SLICES * said.live))
        if said.limit == AMOUNT_MAX:
            portion = min(portion, said.want * UNLIMITED_SLICE)
        granted = min(free, portion, AMOUNT_MAX - claim)
        stored[field] = str(claim + granted)
        if granted > 0:
            stored[f"gave:{said.node}"] = "0"


def _marks(stored: Hash, said: Statement) -> tuple[int, ...]:
    for percent in said.heard:
        if stored.get(f"mark:{percent}") == said.node:
            stored[f"mark:{percent}"] = "-"
    all_spent, due = _sum(stored, "spent:"), list[int]()
    for percent, amount in said.marks:
        if all_spent >= amount:
            stored.setdefault(f"mark:{percent}", said.node)
        if stored.get(f"mark:{percent}") == said.node:
            due.append(percent)
    return tuple(due)


def _pending(stored: Hash, said: Statement) -> tuple[str, ...]:
    others = (field[6:] for field in stored if field.startswith("claim:") and field[6:] != said.node)
    return tuple(
        sorted(
            other
            for other in others
            if _number(stored, f"claim:{other}") > _number(stored, f"spent:{other}")
            and _number(stored, f"gave:{other}") < said.since
        )
    )


def _answer(stored: Hash, said: Statement, run: str, now_ms: int, status: str, marks: tuple[int, ...]) -> Answer:
    return Answer(
        status,  # pyright: ignore[reportArgumentType]
        _number(stored, "version"),
        run,
        _number(stored, f"spent:{said.node}"),
        _number(stored, f"claim:{said.node}"),
        _sum(stored, "spent:"),
        _sum(stored, "claim:"),
        _number(stored, "demand") > now_ms,
        marks,
        _pending(stored, said),
        _number(stored, f"seq:{said.node}"),
        _number(stored, f"back:{said.node}"),
    )


def beat(stored: Hash, said: Beat, run: str, now_ms: int) -> Fence:
    """beat.lua."""
    node, known_epoch = said.node, _number(stored, f"epoch:{said.node}")
    taken = known_epoch == said.epoch and stored.get(f"nonce:{node}") != said.nonce
    left = int(stored.get(f"left:{node}", "-1")) >= said.epoch
    if left or known_epoch > said.epoch or taken:
        return Fence("fenced", run, _number(stored, "fence"), False, _number(stored, "roster"))
    if stored.get("run") != run:
        stored["run"], stored["fence"] = run, str(_number(stored, "fence") + 1)
    fence = _number(stored, "fence")
    if said.fence > fence or (said.fence == fence and said.run != run):
        stored["fence"] = str(said.fence + 1)
    _write_node(stored, said, run, now_ms)
    return _read_fence(stored, said, run, now_ms)


def _enlist(stored: Hash, name: str) -> None:
    if f"epoch:{name}" not in stored:
        stored["roster"] = str(_number(stored, "roster") + 1)
        stored[f"joined:{name}"] = stored["roster"]
        stored[f"epoch:{name}"] = "0"


def _write_node(stored: Hash, said: Beat, run: str, now_ms: int) -> None:
    node, fence = said.node, _number(stored, "fence")
    newcomer = f"epoch:{node}" not in stored and said.fence == 0
    attests = fence if newcomer else said.attests
    for name in (node, *said.roster):
        if name == node or f"left:{name}" not in stored:
            _enlist(stored, name)
    stored.pop(f"left:{node}", None)
    stored[f"epoch:{node}"], stored[f"nonce:{node}"], stored[f"beat:{node}"] = str(said.epoch), said.nonce, str(now_ms)
    stored[f"attests:{node}"] = str(max(attests, _number(stored, f"attests:{node}")))
    remembers = said.run == run and said.fence == fence
    stored[f"knows:{node}"] = str(said.knows if remembers else 0)
    for counter in said.lacks:
        stored[f"lacks:{counter}"] = str(now_ms + LACKS_MS)


def _read_fence(stored: Hash, said: Beat, run: str, now_ms: int) -> Fence:
    fence, joined = _number(stored, "fence"), _number(stored, f"joined:{said.node}")
    roster = sorted(field[6:] for field in stored if field.startswith("epoch:"))
    live = [name for name in roster if abs(now_ms - _number(stored, f"beat:{name}")) <= DEAD_MS]
    attested = [name for name in roster if _number(stored, f"attests:{name}") == fence]
    known = all(_number(stored, f"knows:{name}") >= joined for name in live)
    for field in [field for field in stored if field.startswith("lacks:") and int(stored[field]) <= now_ms]:
        del stored[field]
    lacked = sorted(field[6:] for field in stored if field.startswith("lacks:"))
    opened = attested == roster and known and len(attested) >= said.nodes_min
    return Fence("ok", run, fence, opened, _number(stored, "roster"), tuple(roster), tuple(live), tuple(lacked))


def leave(stored: Hash, node: str, epoch: int) -> bool:
    """leave.lua."""
    known_epoch = int(stored.get(f"epoch:{node}", "-1"))
    if known_epoch < 0 or (epoch > 0 and known_epoch > epoch):
        return False
    for field in ("epoch", "nonce", "beat", "attests", "joined", "knows"):
        stored.pop(f"{field}:{node}", None)
    stored["roster"] = str(_number(stored, "roster") + 1)
    stored[f"left:{node}"] = str(known_epoch)
    return True
