"""What the documentation says is what the code does: names, tables, commands and links."""

import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from control_plane.operating.metrics import metrics_page as control_plane_metrics
from control_plane.settings import reference as control_plane_settings
from gateway.contract.record import Record
from gateway.lake.schema import COLUMNS
from gateway.metrics import METRICS
from gateway.settings import Settings
from pricing.usage import Usage
from tests.tidy import pages
from tests.tidy.tree import ROOT, files, name, python_files

PAGES = {name(path): path.read_text() for path in files() if path.suffix == ".md"}
REFERENCE = "docs/reference/"
SOURCE = "\n".join(path.read_text() for path in python_files("gateway"))
HEADER = re.compile(r"x-lensai-[a-z][a-z-]*[a-z]")
FENCE = re.compile(r"^```\w*\n(.*?)^```", re.MULTILINE | re.DOTALL)


def missing_from(page: str, words: Iterator[str]) -> list[str]:
    """The words a page does not have in backticks."""
    return [word for word in words if f"`{word}`" not in PAGES[REFERENCE + page]]


def test_every_setting_is_documented():
    assert missing_from("settings.md", iter(Settings.__struct_fields__)) == []


def test_the_control_planes_settings_are_documented_as_they_are():
    page = PAGES[REFERENCE + "control-plane-settings.md"]
    assert page == control_plane_settings(), (
        "run `python -m control_plane.settings > docs/reference/control-plane-settings.md`"
    )


def test_every_metric_is_documented():
    assert missing_from("metrics.md", iter(METRICS)) == []


def test_the_control_planes_metrics_are_documented_as_they_are():
    page = PAGES[REFERENCE + "control-plane-metrics.md"]
    assert page == control_plane_metrics(), (
        "run `python -m control_plane.operating.metrics > docs/reference/control-plane-metrics.md`"
    )


def test_every_field_of_an_event_is_documented():
    assert missing_from("events.md", iter(Record.__struct_fields__)) == []


def test_every_bucket_and_every_column_is_documented():
    names = (*Usage.__struct_fields__, *(column.name for column in COLUMNS))
    assert missing_from("events.md", iter(names)) == []


@pytest.mark.parametrize("page", pages.PAGES)
def test_generated_pages_say_what_the_code_says(page):
    assert PAGES[REFERENCE + page] == pages.PAGES[page](), "run `python -m tests.tidy.pages`"


def test_headers_are_documented_exactly_as_the_code_knows_them():
    assert sorted(set(HEADER.findall(PAGES[REFERENCE + "headers.md"]))) == sorted(set(HEADER.findall(SOURCE)))


def commands(program: str) -> Iterator[tuple[str, str]]:
    """(page, word after the program's name) of every command in a code block or in backticks."""
    for page, text in PAGES.items():
        shown = FENCE.findall(text) + re.findall(r"`([^`\n]+)`", FENCE.sub("", text))
        for line in "\n".join(shown).splitlines():
            found = re.match(rf"(?:\$ )?(?:\.venv/bin/)?{program} ([a-z][a-z-]*)", line)
            if found:
                yield page, found.group(1)


def test_every_make_command_shown_is_a_target():
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert [(page, word) for page, word in commands("make") if word not in targets] == []


@cache
def lensai_help() -> str:
    return subprocess.run(
        [sys.executable, "-m", "gateway", "--help"], capture_output=True, text=True, check=True
    ).stdout


def test_every_lensai_command_shown_exists():
    assert [
        (page, word) for page, word in commands("lensai") if not re.search(rf"^  {word}  ", lensai_help(), re.MULTILINE)
    ] == []


def test_every_make_target_explains_itself():
    lines = (ROOT / "Makefile").read_text().splitlines()
    public = [line for line in lines if re.match(r"[a-z-]+:", line) and not line.startswith("node-modules")]
    assert [line for line in public if " ## " not in line] == []


@pytest.mark.parametrize("page", PAGES)
def test_links_between_pages_lead_somewhere(page):
    folder = (ROOT / page).parent
    targets = re.findall(r"\]\((?!https?:|mailto:)([^)#\s]*)(#[^)\s]*)?\)", FENCE.sub("", PAGES[page]))
    assert [path for path, _ in targets if path and not (folder / path).exists()] == []
    assert [anchor for path, anchor in targets if anchor and anchor[1:] not in anchors(folder / path, page)] == []


def anchors(path: Path, page: str) -> set[str]:
    """The anchors a page's headings make: lower case, punctuation dropped, blanks to hyphens."""
    text = (path if path.is_file() else ROOT / page).read_text()
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_index_links_every_page():
    index = PAGES["docs/README.md"]
    pages = [page.removeprefix("docs/") for page in PAGES if page.startswith("docs/") and page != "docs/README.md"]
    assert [page for page in pages if f"({page})" not in index] == []


def test_the_changelog_is_open_for_changes():
    assert "## [Unreleased]" in PAGES["CHANGELOG.md"]
