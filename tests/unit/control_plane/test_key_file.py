import pytest

from control_plane.key_file import NAME, load_rings, put_in_front, ring_texts
from control_plane.keyring import KeyringError
from control_plane.settings import Settings

RING = "k9:" + "ab" * 32


@pytest.fixture
def settings(tmp_path):
    return Settings(data_dir=str(tmp_path / "data"))


def test_a_first_start_makes_a_private_file_and_later_ones_read_it(settings, tmp_path):
    first = load_rings(settings)
    file = tmp_path / "data" / NAME
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    second = load_rings(settings)
    assert first.secrets.secrets == second.secrets.secrets
    assert first.policy.secrets == second.policy.secrets
    assert first.secrets.secrets != first.policy.secrets


def test_what_is_set_needs_no_file(tmp_path):
    rings = load_rings(Settings(data_dir=str(tmp_path), secret_keys=RING, policy_keys=RING))
    assert (rings.secrets.current, rings.policy.current) == ("k9", "k9")
    assert not (tmp_path / NAME).exists()


def test_what_is_set_wins_over_the_file(settings):
    load_rings(settings)
    rings = load_rings(Settings(data_dir=settings.data_dir, policy_keys=RING))
    assert (rings.secrets.current, rings.policy.current) == ("k1", "k9")


def test_a_new_key_is_put_in_front_and_the_older_stays(settings):
    before = ring_texts(settings) if load_rings(settings) else {}
    put_in_front(settings, "secret_keys", RING)
    assert ring_texts(settings) == {**before, "secret_keys": f"{RING},{before['secret_keys']}"}
    assert list(load_rings(settings).secrets.secrets) == ["k9", "k1"]


@pytest.mark.parametrize("line", ["canary", "secret_key=canary"])
def test_a_line_that_is_none_is_told_by_its_number(settings, tmp_path, line):
    load_rings(settings)
    with (tmp_path / "data" / NAME).open("a") as file:
        file.write(line + "\n")
    with pytest.raises(KeyringError, match="line 3: write secret_keys=") as fault:
        load_rings(settings)
    assert "canary" not in str(fault.value)
