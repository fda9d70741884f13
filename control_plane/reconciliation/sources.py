"""Owns the table of exports that can be taken: whose they are, what they say, and how late they are complete."""

from collections.abc import Callable, Mapping
from typing import Literal, get_args

import msgspec

from control_plane.reconciliation import (
    anthropic_costs,
    anthropic_usage,
    aws_cur,
    azure_costs,
    openai_costs,
    openai_usage,
)
from control_plane.reconciliation.lines import Account

SourceName = Literal["openai_usage", "openai_costs", "anthropic_usage", "anthropic_costs", "azure_costs", "aws_cur"]
SOURCE_NAMES: tuple[SourceName, ...] = get_args(SourceName)


class Source(msgspec.Struct, frozen=True):
    """`lag_s`: how long after a day's end an export of it may still grow."""

    provider: str
    says_usage: bool
    says_cost: bool
    lag_s: int
    read: Callable[[bytes], Account]


_HOUR_S = 3600
# OpenAI and Anthropic speak of minutes, "though delays may occasionally be longer"; Azure of 8 to 24 hours and up to 72
# (learn.microsoft.com/azure/cost-management-billing/costs/understand-cost-mgt-data), AWS of up to three updates a day
# and changes until the bill is final (docs.aws.amazon.com/cur/latest/userguide/what-is-cur.html).
SOURCES: Mapping[SourceName, Source] = {
    "openai_usage": Source(openai_usage.PROVIDER, True, False, 6 * _HOUR_S, openai_usage.read),
    "openai_costs": Source(openai_costs.PROVIDER, False, True, 24 * _HOUR_S, openai_costs.read),
    "anthropic_usage": Source(anthropic_usage.PROVIDER, True, False, 6 * _HOUR_S, anthropic_usage.read),
    "anthropic_costs": Source(anthropic_costs.PROVIDER, False, True, 24 * _HOUR_S, anthropic_costs.read),
    "azure_costs": Source(azure_costs.PROVIDER, True, True, 72 * _HOUR_S, azure_costs.read),
    "aws_cur": Source(aws_cur.PROVIDER, True, True, 48 * _HOUR_S, aws_cur.read),
}
