async def test_gateways_alone_are_told_the_policy(plane):
    org_id = await plane.organization()
    path = "/v1/gateway/policy?since=0&nonce=0123456789abcdef"
    for headers in ({}, await plane.token(org_id), {"authorization": "Bearer lgw_wrong"}):
        answer = await plane.client.get(path, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    answer = await plane.client.get(path, headers=await plane.gateway())
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    assert answer.headers["x-accel-buffering"] == "no"


async def test_a_gateways_token_opens_nothing_else(plane):
    assert (await plane.client.get("/v1/projects", headers=await plane.gateway())).status_code == 401


async def test_a_question_without_a_nonce_or_a_version_is_refused(plane):
    headers = await plane.gateway()
    for query in ("", "since=0", "since=-1&nonce=0123456789abcdef", "since=0&nonce=short", f"since=0&nonce={'n' * 65}"):
        assert (await plane.client.get(f"/v1/gateway/policy?{query}", headers=headers)).status_code == 400
