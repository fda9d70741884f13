"""Owns where the keys of a process come from: its settings, or a private file that a first start makes.

The file is for one machine with SQLite. It has two lines, as the settings would be: `secret_keys=…`, `policy_keys=…`.
"""

from pathlib import Path
from typing import NamedTuple

from control_plane.keyring import Keyring, KeyringError, new_key, read_ring
from control_plane.settings import Settings
from gateway import private_file

NAME = "control-plane.keys"
RINGS = ("secret_keys", "policy_keys")


class Rings(NamedTuple):
    """`secrets` seals what the database holds, `policy` signs what gateways are told."""

    secrets: Keyring
    policy: Keyring


def path(settings: Settings) -> Path:
    return Path(settings.data_dir) / NAME


def load_rings(settings: Settings) -> Rings:
    """The keys of the settings, else of the file, which is made where it is missing. Raises KeyringError, OSError."""
    if not all(getattr(settings, name) for name in RINGS) and not path(settings).exists():
        _make(settings)
    texts = ring_texts(settings)
    return Rings(*(Keyring(read_ring(texts[name])) for name in RINGS))


def ring_texts(settings: Settings) -> dict[str, str]:
    """Ring -> `id:secret,…`: what is set, and the file's for what is not. Raises KeyringError, OSError."""
    filed = _read(path(settings)) if path(settings).exists() else {}
    return {name: getattr(settings, name) or filed.get(name, "") for name in RINGS}


def load_ring(settings: Settings) -> Keyring | None:
    """The ring `secrets` for a process that only checks what others signed; None where no key was ever made.

    Raises KeyringError, OSError.
    """
    secrets = read_ring(ring_texts(settings)["secret_keys"])
    return Keyring(secrets) if secrets else None


def put_in_front(settings: Settings, ring: str, entry: str) -> None:
    """The file's ring has a new current key; the others still open what they sealed. Raises KeyringError, OSError."""
    filed = _read(path(settings))
    filed[ring] = ",".join(filter(None, (entry, filed.get(ring, ""))))
    _write(path(settings), filed)


def _make(settings: Settings) -> None:
    private_file.make_directory(Path(settings.data_dir))
    _write(path(settings), {name: new_key("k1") for name in RINGS})


def _read(file: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for number, line in enumerate(file.read_text("utf-8").splitlines(), 1):
        name, equals, text = line.partition("=")
        if not equals or name.strip() not in RINGS:
            raise KeyringError(f"{file} line {number}: write {RINGS[0]}=… or {RINGS[1]}=…")
        found[name.strip()] = text.strip()
    return found


def _write(file: Path, rings: dict[str, str]) -> None:
    private_file.replace(file, "".join(f"{name}={text}\n" for name, text in rings.items()).encode())
