from sqlalchemy import select

from control_plane.auth.tables import Organization
from control_plane.cli.operator import run
from control_plane.cli.secrets import main
from control_plane.keyring import read_ring
from control_plane.providers.tables import ProviderCredential
from control_plane.publish.tables import PolicyItem

ID = "crd_1"
CONTEXT = f"provider_credentials:{ID}"


def sealing(said):
    """Stores a credential sealed by the current key."""

    async def act(operator):
        async with operator.changing() as session:
            org_id = (await session.execute(select(Organization.id))).scalar_one()
            sealed = operator.rings.secrets.seal(said, CONTEXT)
            session.add(
                ProviderCredential(
                    id=ID, org_id=org_id, name="c", provider="openai", sealed=sealed, hint="", created_by="",
                    created_at_ms=1,
                )
            )  # fmt: skip
        return 0

    return act


async def opened(operator):
    async with operator.changing() as session:
        row = await session.get(ProviderCredential, ID)
        item = await session.get(PolicyItem, ("credential", ID))
    assert row.sealed.encode() in item.body
    print(f"{operator.rings.secrets.open(row.sealed, CONTEXT)} by {row.sealed.partition('.')[0]}")
    return 0


def test_what_an_older_key_sealed_is_sealed_anew_and_published(installed, capsys):
    assert run("test", sealing("sk-1")) == 0
    assert main(["new"]) == 0
    assert main(["status"]) == 0
    assert "k1               seals 1, still needed" in capsys.readouterr().out
    assert main(["rotate"]) == 0
    said = capsys.readouterr().out
    assert "seals 1, current" in said
    assert "k1               seals 0, may be removed" in said
    assert run("test", opened) == 0
    assert capsys.readouterr().out.startswith("sk-1 by k")


def test_a_key_that_is_lost_is_told(installed, monkeypatch, capsys):
    assert run("test", sealing("sk-1")) == 0
    monkeypatch.setenv("LENSAI_CONTROL_SECRET_KEYS", "other:" + "ab" * 32)
    assert main(["status"]) == 1
    assert "k1               seals 1, and is not here" in capsys.readouterr().out
    assert main(["rotate"]) == 2
    assert "sealed by the key 'k1'" in capsys.readouterr().err


def test_where_settings_hold_the_keys_an_entry_is_printed(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("LENSAI_CONTROL_DATA_DIR", str(tmp_path))
    assert main(["new", "--ring", "secret_keys"]) == 0
    said = capsys.readouterr()
    assert "Put this in front of LENSAI_CONTROL_SECRET_KEYS" in said.err
    assert len(read_ring(said.out.strip())) == 1
