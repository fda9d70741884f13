"""Owns the routes of budgets and of quotas, which are alike but for what they count."""

from typing import Annotated

from litestar import Controller, Response, delete, get, patch, post
from litestar.params import FromPath, JSONBody, QueryParameter

from control_plane.api.etag import etag
from control_plane.api.paging import LIMIT_DEFAULT, LIMIT_MAX, Page, page
from control_plane.api.parameters import Cursor, IfMatch, InWork, Limit
from control_plane.api.text import Id
from control_plane.budgets import overrides, quota_service, service
from control_plane.budgets.amounts import dollars_or_none, read
from control_plane.budgets.history import history
from control_plane.budgets.schema import (
    BudgetCreate,
    BudgetEdit,
    BudgetGrace,
    BudgetOut,
    HistoryOut,
    OverrideOut,
    QuotaCreate,
    QuotaEdit,
    QuotaGrace,
    QuotaOut,
    StandingOut,
    StatusOut,
)
from control_plane.budgets.standing import standing
from control_plane.budgets.status import status
from control_plane.budgets.tables import Budget, Quota

# As many as a page holds; what is not there is left out of the answer.
Ids = Annotated[list[Id], QueryParameter(name="id", min_items=1, max_items=LIMIT_MAX, description="Which")]
OfProject = Annotated[Id | None, QueryParameter(description="Only those of this project")]


class Budgets(Controller):
    path = "/budgets"
    tags = ("Budgets",)

    @get(needs="budgets:read", summary="List budgets")
    async def list_budgets(
        self, work: InWork, project_id: OfProject = None, cursor: Cursor = None, limit: Limit = LIMIT_DEFAULT
    ) -> Page[BudgetOut]:
        return await page(work.session, service.listed(project_id), Budget.id, cursor, limit, service.render)

    @post(needs="budgets:write", summary="Set a budget")
    async def create_budget(self, work: InWork, data: JSONBody[BudgetCreate]) -> Response[BudgetOut]:
        budget = await service.create(work, data)
        return Response(service.render(budget), headers=etag(budget))

    @get("/standing", needs="budgets:read", summary="What is spent and held of many, at once")
    async def budgets_standing(self, work: InWork, ids: Ids) -> list[StandingOut]:
        return await standing(work, await service.found(work, ids))

    @get("/{budget_id:str}", needs="budgets:read", summary="One budget")
    async def get_budget(self, work: InWork, budget_id: FromPath[str]) -> Response[BudgetOut]:
        budget = await service.find(work, budget_id)
        return Response(service.render(budget), headers=etag(budget))

    @patch("/{budget_id:str}", needs="budgets:write", summary="Change a budget")
    async def edit_budget(
        self, work: InWork, budget_id: FromPath[str], data: JSONBody[BudgetEdit], if_match: IfMatch = None
    ) -> Response[BudgetOut]:
        budget = await service.change(work, budget_id, data, if_match)
        return Response(service.render(budget), headers=etag(budget))

    @delete("/{budget_id:str}", needs="budgets:write", summary="Delete a budget: it limits nothing any more")
    async def delete_budget(self, work: InWork, budget_id: FromPath[str], if_match: IfMatch = None) -> None:
        await service.remove(work, budget_id, if_match)

    @get("/{budget_id:str}/status", needs="budgets:read", summary="What is spent, held and left, and until when")
    async def budget_status(self, work: InWork, budget_id: FromPath[str]) -> StatusOut:
        return await status(work, await service.find(work, budget_id))

    @get("/{budget_id:str}/history", needs="budgets:read", summary="Thresholds that were crossed, and overrides")
    async def budget_history(self, work: InWork, budget_id: FromPath[str]) -> HistoryOut:
        return await history(work, await service.find(work, budget_id))

    @post("/{budget_id:str}/override", needs="budgets:write", summary="Minutes of grace; one override at a time")
    async def override_budget(self, work: InWork, budget_id: FromPath[str], data: JSONBody[BudgetGrace]) -> OverrideOut:
        budget = await service.find(work, budget_id, to_change=True)
        limit_nanousd = dollars_or_none(data.limit_usd, "body/limit_usd")
        override = await overrides.grant(work, budget, data.minutes, limit_nanousd, data.reason, "body/limit_usd")
        return overrides.render(override, "usd")

    @delete("/{budget_id:str}/override", needs="budgets:write", summary="End the override in force")
    async def end_budget_override(self, work: InWork, budget_id: FromPath[str]) -> None:
        await overrides.end(work, await service.find(work, budget_id, to_change=True))


class Quotas(Controller):
    path = "/quotas"
    tags = ("Quotas",)

    @get(needs="budgets:read", summary="List quotas")
    async def list_quotas(
        self, work: InWork, project_id: OfProject = None, cursor: Cursor = None, limit: Limit = LIMIT_DEFAULT
    ) -> Page[QuotaOut]:
        return await page(work.session, quota_service.listed(project_id), Quota.id, cursor, limit, quota_service.render)

    @post(needs="budgets:write", summary="Set a quota")
    async def create_quota(self, work: InWork, data: JSONBody[QuotaCreate]) -> Response[QuotaOut]:
        quota = await quota_service.create(work, data)
        return Response(quota_service.render(quota), headers=etag(quota))

    @get("/standing", needs="budgets:read", summary="What is counted and held of many, at once")
    async def quotas_standing(self, work: InWork, ids: Ids) -> list[StandingOut]:
        return await standing(work, await quota_service.found(work, ids))

    @get("/{quota_id:str}", needs="budgets:read", summary="One quota")
    async def get_quota(self, work: InWork, quota_id: FromPath[str]) -> Response[QuotaOut]:
        quota = await quota_service.find(work, quota_id)
        return Response(quota_service.render(quota), headers=etag(quota))

    @patch("/{quota_id:str}", needs="budgets:write", summary="Change a quota")
    async def edit_quota(
        self, work: InWork, quota_id: FromPath[str], data: JSONBody[QuotaEdit], if_match: IfMatch = None
    ) -> Response[QuotaOut]:
        quota = await quota_service.change(work, quota_id, data, if_match)
        return Response(quota_service.render(quota), headers=etag(quota))

    @delete("/{quota_id:str}", needs="budgets:write", summary="Delete a quota: it limits nothing any more")
    async def delete_quota(self, work: InWork, quota_id: FromPath[str], if_match: IfMatch = None) -> None:
        await quota_service.remove(work, quota_id, if_match)

    @get("/{quota_id:str}/status", needs="budgets:read", summary="What is counted, held and left, and until when")
    async def quota_status(self, work: InWork, quota_id: FromPath[str]) -> StatusOut:
        return await status(work, await quota_service.find(work, quota_id))

    @get("/{quota_id:str}/history", needs="budgets:read", summary="Thresholds that were crossed, and overrides")
    async def quota_history(self, work: InWork, quota_id: FromPath[str]) -> HistoryOut:
        return await history(work, await quota_service.find(work, quota_id))

    @post("/{quota_id:str}/override", needs="budgets:write", summary="Minutes of grace; one override at a time")
    async def override_quota(self, work: InWork, quota_id: FromPath[str], data: JSONBody[QuotaGrace]) -> OverrideOut:
        quota = await quota_service.find(work, quota_id, to_change=True)
        limit_amount = read(quota.unit, data.limit, "body/limit")
        override = await overrides.grant(work, quota, data.minutes, limit_amount, data.reason, "body/limit")
        return overrides.render(override, quota.unit)

    @delete("/{quota_id:str}/override", needs="budgets:write", summary="End the override in force")
    async def end_quota_override(self, work: InWork, quota_id: FromPath[str]) -> None:
        await overrides.end(work, await quota_service.find(work, quota_id, to_change=True))
