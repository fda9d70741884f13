"""Owns reading `lensai.yaml`: projects, keys, budgets, quotas and alerts, as things that should be there. Pure.

A thing is found again by its kind, its project's name and its own name; all else it says are fields of the API's
bodies.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

import msgspec
import yaml

# Kinds that stand in a project or at the top, the word of the document -> the collection of the API.
COLLECTIONS: Mapping[str, str] = {
    "keys": "keys",
    "budgets": "budgets",
    "quotas": "quotas",
    "alerts": "alert-rules",
}
# A key belongs to a project; the others may be the whole organization's.
_OF_PROJECTS_ALONE = frozenset({"keys"})
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


class Thing(msgspec.Struct, frozen=True):
    """Something that should be there. `project` is a name; "" is the whole organization."""

    collection: str  # "projects", or one of COLLECTIONS' values
    project: str
    name: str
    fields: dict[str, Any]

    @property
    def label(self) -> str:
        """How people call it: `budgets Checkout/monthly`."""
        where = f"{self.project}/" if self.project and self.collection != "projects" else ""
        return f"{self.collection} {where}{self.name}"


class DocumentError(ValueError):
    """The document cannot be used; one line for each problem: where, and what to do."""


def read(text: str, environ: Mapping[str, str]) -> list[Thing]:
    """The things of a document, projects first. `${NAME}` in a value is the environment's. Raises DocumentError."""
    try:
        document: Any = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise DocumentError(f"line {mark.line + 1 if mark else '?'}: this is not YAML") from None
    problems: list[str] = []
    things = list(_things(document, environ, problems))
    seen: set[tuple[str, str, str]] = set()
    for thing in things:
        identity = (thing.collection, thing.project, thing.name)
        if identity in seen:
            problems.append(f"{thing.label}: declared twice; give each its own name")
        seen.add(identity)
    if problems:
        raise DocumentError("\n".join(problems))
    return sorted(things, key=lambda thing: thing.collection != "projects")


def _things(document: Any, environ: Mapping[str, str], problems: list[str]) -> Iterator[Thing]:
    top = _mapping(document, "the document", problems)
    known = {"projects", *COLLECTIONS} - _OF_PROJECTS_ALONE
    problems.extend(f"{word}: unknown; the document may have {', '.join(sorted(known))}" for word in top.keys() - known)
    yield from _collections(top, "", environ, problems)
    for number, entry in enumerate(_list(top.get("projects"), "projects", problems), 1):
        project = _mapping(entry, f"projects[{number}]", problems)
        name = project.get("name")
        if not isinstance(name, str):
            problems.append(f"projects[{number}]: it needs a name")
            continue
        yield Thing("projects", name, name, {})
        unknown = project.keys() - {"name", *COLLECTIONS}
        problems.extend(f"project {name}: {word} is unknown" for word in sorted(unknown))
        yield from _collections(project, name, environ, problems)


def _collections(
    within: Mapping[str, Any], project: str, environ: Mapping[str, str], problems: list[str]
) -> Iterator[Thing]:
    for word, collection in COLLECTIONS.items():
        where = f"{project or 'organization'}.{word}"
        for number, entry in enumerate(_list(within.get(word), where, problems), 1):
            fields = dict(_mapping(entry, f"{where}[{number}]", problems))
            name = fields.pop("name", None)
            if not isinstance(name, str):
                problems.append(f"{where}[{number}]: it needs a name, by which it is found again")
                continue
            if "project_id" in fields:
                problems.append(f"{where}.{name}: leave out project_id; what stands under a project is that project's")
            yield Thing(collection, project, name, _expanded(fields, f"{where}.{name}", environ, problems))


def _expanded(value: Any, where: str, environ: Mapping[str, str], problems: list[str]) -> Any:
    if isinstance(value, dict):
        named = cast(dict[str, Any], value)
        return {name: _expanded(inner, f"{where}.{name}", environ, problems) for name, inner in named.items()}
    if isinstance(value, list):
        return [_expanded(inner, where, environ, problems) for inner in cast(list[Any], value)]
    if not isinstance(value, str):
        return value
    missing = [name for name in _VARIABLE.findall(value) if name not in environ]
    problems.extend(f"{where}: the environment has no {name}; set it" for name in missing)
    return _VARIABLE.sub(lambda found: environ.get(found[1], ""), value)


def _mapping(value: Any, where: str, problems: list[str]) -> Mapping[str, Any]:
    if isinstance(value, dict):
        return cast(dict[str, Any], value)
    if value is not None or where == "the document":
        problems.append(f"{where}: write name: value pairs")
    return {}


def _list(value: Any, where: str, problems: list[str]) -> list[Any]:
    if isinstance(value, list):
        return cast(list[Any], value)
    if value is not None:
        problems.append(f"{where}: write a list")
    return []
