"""Owns the route of backtests: what would have been refused under a limit, or at other prices."""

from litestar import Controller, post
from litestar.params import JSONBody

from control_plane.api.parameters import InWork
from control_plane.backtest import service
from control_plane.backtest.schema import BacktestAsk, BacktestOut


class Backtest(Controller):
    path = "/backtest"
    tags = ("Budgets",)

    # It changes nothing, and no transaction waits for the lake.
    @post(
        needs="budgets:read",
        own_transaction=True,
        repeatable=True,
        status_code=200,
        summary="What a limit would have refused, or what was spent, over history",
    )
    async def backtest(self, work: InWork, data: JSONBody[BacktestAsk]) -> BacktestOut:
        """Calls are replayed in the order of their arrival through the ledger's windows; one that is refused spends
        nothing. Without a limit it is a preview of past spend by window.
        """
        return await service.ask(work, data)
