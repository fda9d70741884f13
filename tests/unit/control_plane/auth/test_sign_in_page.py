import re

from control_plane.auth.sign_in_page import _HTML, _SCRIPT, sign_in_page_response


async def test_c12_the_page_is_served_to_anybody_under_a_policy_without_inline_script(plane):
    page, script = sign_in_page_response(), await plane.client.get("/sign-in.js")
    assert script.status_code == 200
    for answer in (page, script):
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert page.media_type == "text/html"
    assert script.headers["content-type"].startswith("text/javascript")


def test_the_page_holds_no_script_and_no_style_of_its_own():
    assert re.findall(r"<script[^>]*>([^<]*)</script>", _HTML) == [""]
    assert not re.search(r"\son\w+=|style=|<style", _HTML)


def test_the_script_spends_the_link_only_upon_a_press_and_writes_no_markup():
    assert 'addEventListener("submit"' in _SCRIPT
    assert "innerHTML" not in _SCRIPT


async def test_c06_opening_a_link_does_not_spend_it(plane):
    await plane.member(await plane.organization(), "ada@example.com", "viewer")
    token = await plane.link("ada@example.com")
    for path in ("/sign-in", f"/sign-in?token={token}", f"/v1/auth/sessions?token={token}"):
        await plane.client.get(path)
        await plane.client.head(path)
    answer = await plane.client.post("/v1/auth/sessions", json={"token": token})
    assert answer.status_code == 201
