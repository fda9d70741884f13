"""Owns what tests make through the API of the control plane before they begin."""

from typing import Any

from tests.support.control_plane import ControlPlane


async def project(plane: ControlPlane, headers: dict[str, str], name: str = "Checkout") -> str:
    """A new project's id."""
    made = await plane.client.post("/v1/projects", json={"name": name}, headers=headers)
    return made.json()["id"]


async def key(plane: ControlPlane, headers: dict[str, str], project_id: str, **fields: object) -> dict[str, Any]:
    """A new key of a project, with its secret."""
    return await _made(plane, headers, "/v1/keys", {"project_id": project_id, "name": "batch", **fields})


async def credential(plane: ControlPlane, headers: dict[str, str], **fields: object) -> dict[str, Any]:
    body = {"name": "OpenAI", "provider": "openai", "secret": "sk-proj-0123456789abcdefWXYZ", **fields}
    return await _made(plane, headers, "/v1/credentials", body)


async def upstream(plane: ControlPlane, headers: dict[str, str], **fields: object) -> dict[str, Any]:
    return await _made(plane, headers, "/v1/upstreams", {"name": "openai", "provider": "openai", **fields})


async def _made(plane: ControlPlane, headers: dict[str, str], address: str, body: dict[str, Any]) -> dict[str, Any]:
    made = await plane.client.post(address, json=body, headers=headers)
    assert made.status_code == 201, made.text
    return made.json()
