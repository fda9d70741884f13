"""Owns the kinds of text that people write: one line of a bounded length, without control characters.

PostgreSQL holds no NUL, and a name with a line break in it would be two lines of a log.
"""

from typing import Annotated

from msgspec import Meta

from gateway.identify import LABEL_CHARS_MAX

_SHOWN = r"[^\x00-\x1f\x7f]"
_SEEN = r"[^\s\x00-\x1f\x7f]"
# Python's $ stands before a last line break too, which is not the end.
_END = r"$(?!\n)"
# As gateway/problems.py has it: what stands in paths, records and metrics.
_SLUG = r"[a-z0-9][a-z0-9._-]{0,63}"

Name = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=100,
        pattern=rf"^{_SEEN}({_SHOWN}*{_SEEN})?{_END}",
        description="1 to 100 characters of one line",
        examples=["Checkout"],
    ),
]
Label = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=LABEL_CHARS_MAX,
        pattern=rf"^{_SHOWN}+{_END}",
        description=f"1 to {LABEL_CHARS_MAX} characters of one line",
    ),
]
LabelOrNone = Annotated[
    str,
    Meta(
        max_length=LABEL_CHARS_MAX,
        pattern=rf"^{_SHOWN}*{_END}",
        description=f"Up to {LABEL_CHARS_MAX} characters of one line; empty is none",
    ),
]
# A model or a deployment, as requests name it.
ModelName = Annotated[str, Meta(min_length=1, max_length=256, pattern=rf"^{_SHOWN}+{_END}", examples=["gpt-4o-mini"])]
UpstreamName = Annotated[
    str,
    Meta(pattern=rf"^{_SLUG}{_END}", description="The first part of a call's path", examples=["openai"]),
]
UpstreamNameOrAny = Annotated[
    str, Meta(pattern=rf"^(\*|{_SLUG}){_END}", description='An upstream\'s name; "*" is every one', examples=["openai"])
]
# What refers to another thing of the control plane.
Id = Annotated[str, Meta(pattern=rf"^[a-z]{{2,5}}_[0-9a-z]{{26}}{_END}")]
# Seconds since the epoch, to the year 9999.
Seconds = Annotated[int, Meta(ge=0, le=253_402_300_799, description="UTC, seconds since the epoch")]
