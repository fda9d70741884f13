import tomllib
from pathlib import Path, PurePath

import pytest

from control_plane.ui import bundle

ROOT = Path(__file__).resolve().parents[4]


def built(directory):
    (directory / "assets").mkdir()
    (directory / "index.html").write_text("<!doctype html>")
    (directory / "assets" / "index-a1b2.js").write_text("let a = 1;")
    (directory / "assets" / "index-a1b2.js.br").write_bytes(b"brotli")
    (directory / "assets" / "index-a1b2.js.gz").write_bytes(b"gzip")
    (directory / "notes.txt").write_text("no part of it")
    return bundle.load(directory)


def test_a_directory_without_a_build_has_no_files(tmp_path):
    assert bundle.load(tmp_path) == {}
    assert bundle.load(tmp_path / "missing") == {}


def test_the_files_of_a_build_are_known_by_their_names_alone(tmp_path):
    assert sorted(built(tmp_path)) == ["assets/index-a1b2.js", "index.html"]


def test_a_hashed_name_is_kept_for_ever_and_the_document_is_asked_for_each_time(tmp_path):
    files = built(tmp_path)
    assert files["assets/index-a1b2.js"].headers["cache-control"] == "public, max-age=31536000, immutable"
    assert files["index.html"].headers["cache-control"] == "no-cache"


def test_a_document_depends_on_who_asks_and_a_hashed_name_does_not(tmp_path):
    files = built(tmp_path)
    assert files["index.html"].headers["vary"] == "accept-encoding, cookie"
    assert files["assets/index-a1b2.js"].headers["vary"] == "accept-encoding"


def test_the_policy_allows_neither_inline_code_nor_another_host(tmp_path):
    policy = built(tmp_path)["index.html"].headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy


def test_a_browser_is_sent_the_best_encoding_that_it_takes(tmp_path):
    file = built(tmp_path)["assets/index-a1b2.js"]
    for accepted, body, encoding in [
        ("gzip, deflate, br", b"brotli", "br"),
        ("gzip;q=0.8", b"gzip", "gzip"),
        ("", b"let a = 1;", None),
        ("identity", b"let a = 1;", None),
    ]:
        sent = bundle.sent(file, accepted)
        assert (sent.body, sent.headers.get("content-encoding")) == (body, encoding)


def test_a_package_has_every_file_of_the_build():
    files = bundle.load()
    if not files:
        pytest.skip("the web UI was not built: make ui")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packaged = project["tool"]["setuptools"]["package-data"]["control_plane.ui"]
    assert [name for name in files if not any(PurePath("dist", name).match(one) for one in packaged)] == []
