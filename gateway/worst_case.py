"""Between examine and admit: the most a call can cost. Call, Route, Catalog -> WorstCase | Unbounded.

Owns how what a body asks for, its model's limits and the prices that may hold become one bound. Every choice that the
provider has is taken as the dearest one; what nothing bounds is Unbounded, in words that name the way out. No I/O, no
clock. What a bound rests on: docs/internals/bounds.md.

Tokens have a bound where money has none for want of a price: a quota of tokens needs to know no price.
"""

import re
from functools import lru_cache
from itertools import product
from typing import cast

import msgspec
from msgspec.structs import replace

from gateway.bounds import bedrock, chat, media
from gateway.bounds.asked import Asked, Body, Reader
from gateway.bounds.said import said_in
from gateway.contract.policy import Upstream
from gateway.examine import Call
from gateway.metering import estimate, tokens
from gateway.route import Destination, Route
from gateway.wire import jsontext
from gateway.worst_usage import (
    Caching,
    caching_in,
    family,
    hides_output,
    most_at,
    most_used,
    reads_whole_context,
    shown,
)
from pricing.bound import NOTHING, Bound, Line, Most, Unbounded, bound_at, dearest_of, lines
from pricing.catalog import Catalog, Context, Price, Unpriced
from pricing.limits import Limits, find_limits

READERS: dict[str, Reader] = {
    "openai.chat": chat.chat,
    "openai.completions": chat.chat,
    "openai.responses": chat.responses,
    "anthropic.messages": chat.messages,
    "gemini.generate": chat.gemini,
    "gemini.interactions": chat.interaction,
    "cohere.chat": chat.cohere,
    "ollama.chat": chat.ollama,
    "bedrock.converse": bedrock.converse,
    "bedrock.invoke": bedrock.invoke,
    "openai.embeddings": media.embeddings,
    "gemini.embeddings": media.embeddings,
    "cohere.embed": media.embeddings,
    "ollama.embed": media.embeddings,
    "vertex.predict": media.predict,
    "rerank": media.rerank,
    "cohere.rerank": media.cohere_rerank,
    "openai.speech": media.speech,
    "openai.transcription": media.transcription,
    "openai.images": media.images,
    "mistral.ocr": media.ocr,
    "openai.realtime": media.session,
    "openai.responses_socket": chat.responses_event,
    "gemini.live": media.session,
}

# Of providers and the modifiers that requests name, which are few unless somebody makes them up.
CONTEXTS_MAX = 1024
# Ways of asking whose terms are remembered, at some 2 KB each. Models and caps are few, unless somebody makes them up.
TERMS_MAX = 4096

_STORAGE = "storage_billed_apart"
# Whose models search by themselves, or call tools: Perplexity's and OpenAI's research, OpenAI's in the chat API, Groq's
# systems, OpenRouter's variants that search, its routers, and what it sells of Perplexity's, whose fees no list has.
_ACTS_UNASKED = re.compile(
    r"perplexity/sonar.*|(.*/)?(.*deep-research.*|.*-search-(preview|api).*|compound.*|.*:online|openrouter/.*|auto)"
)
# Models that put out nothing but what they show, unless asked to think: their streams can be paid as they flow.
_SHOWS_ALL = re.compile(
    r"gpt-(3\.5|35|4)|chatgpt-4o|claude-(3|instant|v?2|(haiku|sonnet|opus)-4)|(meta-)?llama|(mistral|ministral|codestral)"
    r"|command-r|gemma|nova-(micro|lite|pro)|titan|grok.*non-reasoning"
)

# Modifiers of a price that may hold though the request names none: OpenAI's and Azure's projects may have a tier of
# their own, workspaces of Anthropic a region, and at Vertex AI a header names the tier.
_UNNAMED: dict[str, dict[str, tuple[str, ...]]] = {
    "openai": {"service_tier": ("priority",)},
    "azure": {"service_tier": ("priority",)},
    "anthropic": {"inference_geo": ("us",)},
    "vertex": {"service_tier": ("priority",)},
}
_LEAVES_OPEN = frozenset({"auto"})

# Whose vocabularies and templates were compared with recorded prompts (docs/internals/metering.md, "Estimates").
_COUNTED_AT = frozenset({"openai", "azure"})
_COUNTED = re.compile(r"gpt-(3\.5|35|4|5)(?!\d)|chatgpt-4o|o[134]\b|text-embedding-")
_UNKNOWN = Limits(None, None)
# In place of a name that nobody knows, and that looks like one of a family of which it need not be.
_NAMELESS = "this model"
# Around a text, a member and a value of a prompt: the most that any rendering of it was seen to put there, doubled.
_TEXT_TOKENS = 8


class WorstCase(msgspec.Struct, frozen=True, gc=False):
    """The most a call can use and cost. `bound.nanousd(tokens_out)` is the whole of it."""

    tokens_in: int
    tokens_out: int
    bound: Bound
    # It streams, names no cap and hides nothing: what it puts out may be paid as it flows.
    open_ended: bool = False
    flags: tuple[str, ...] = ()
    # What `tighten` starts from: the tokens that stand for the bytes of the body (0: it cannot be tightened), and what
    # is billed for any input.
    text_tokens: int = 0
    lines: tuple[Line, ...] = ()
    # It bounds the tokens alone: their price is not known, and why.
    unpriced: Unbounded | None = None

    @property
    def nanousd(self) -> int:
        """The most it can cost, in nano-USD."""
        return self.bound.nanousd(self.tokens_out)


FREE = WorstCase(0, 0, NOTHING)

# Flags: why a bound is far from what such calls cost as a rule.
WHOLE_CONTEXT = "whole_context_assumed"
MODEL_MAXIMUM = "model_maximum_assumed"


class _Terms(msgspec.Struct, frozen=True):
    """What calls share that ask the same of a model: all of their worst cases but the length of their text."""

    upstream: Upstream
    starts_at_s: int  # from then and until then its prices hold
    ends_at_s: int
    lines: tuple[Line, ...]
    tokens_in: int  # beside those of the text
    tokens_out: int
    open_ended: bool
    flags: tuple[str, ...]
    counts_text: bool  # else `tokens_in` is all, however long the text
    tightens: bool
    unpriced: Unbounded | None = None

    def worst_case(self, text_bytes: int, *, stream: bool) -> WorstCase | Unbounded:
        """Of a call whose text is so long."""
        tokens_in = self.tokens_in + text_bytes if self.counts_text else self.tokens_in
        found = bound_at(self.lines, tokens_in)
        unpriced = self.unpriced
        if isinstance(found, Unbounded):
            if not found.unpriced:
                return found
            unpriced = found
        return WorstCase(
            tokens_in,
            self.tokens_out,
            NOTHING if isinstance(found, Unbounded) else found,
            stream and self.open_ended,
            self.flags,
            text_bytes if self.tightens and unpriced is None else 0,
            self.lines if unpriced is None else (),
            unpriced,
        )


class WorstCases:
    """The worst cases of calls at the prices of one catalog. What calls share that ask alike is found once for them."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self._remembered: dict[tuple[object, ...], _Terms] = {}

    def find(self, call: Call, route: Route, at_s: int) -> WorstCase | Unbounded:
        """The most a call can cost at the prices of that second, or why nothing bounds it."""
        endpoint, destination = route.endpoint, route.destination
        if not endpoint.reader:
            return _unmetered(route)
        if endpoint.retrieves:
            return FREE  # the call that began the work is the one that is judged
        caching = caching_in(call.text, destination.provider.name)
        said = said_in(call.text, endpoint.reader)
        if said is None:
            return self._read(call, route, caching, at_s)[0]
        parts, upstream = said.parts, destination.upstream
        held = parts.images, parts.opaque, parts.acts, parts.lasting
        alike = upstream.name, endpoint.reader, call.model, caching, said.members, held
        terms = self._remembered.get(alike)
        if terms is None or terms.upstream is not upstream or not terms.starts_at_s <= at_s < terms.ends_at_s:
            found, terms = self._read(call, route, caching, at_s)
            if terms is not None:
                self._remember(alike, terms)
            return found
        return terms.worst_case(len(call.text) - parts.image_characters, stream=call.stream)

    def _read(
        self, call: Call, route: Route, caching: Caching, at_s: int
    ) -> tuple[WorstCase | Unbounded, _Terms | None]:
        """The worst case by all that the body says, and its terms, unless it is of several models."""
        destination = route.destination
        model, mapped = _priced_model(call.model, destination)
        asked = _asked(call, route, model)
        if isinstance(asked, Unbounded):
            return asked, None
        text_bytes = len(call.text) - asked.parts.image_characters
        alike = replace(asked, parts=replace(asked.parts, image_characters=0))
        total: WorstCase | None = None
        terms: _Terms | Unbounded | None = None
        for name, is_mapped in ((model, mapped), *(_priced_model(name, destination) for name in asked.models)):
            terms = self._of_model(name, is_mapped, alike, caching, route, at_s)
            if isinstance(terms, Unbounded):
                return terms, None
            found = terms.worst_case(text_bytes, stream=call.stream)
            if isinstance(found, Unbounded):
                return found, None
            total = found if total is None else _either(total, found)
        assert total is not None
        return total, None if asked.models else terms

    def _of_model(
        self, model: str, mapped: bool, asked: Asked, caching: Caching, route: Route, at_s: int
    ) -> _Terms | Unbounded:
        upstream = route.destination.upstream
        alike = upstream.name, route.endpoint.reader, model, mapped, caching, asked
        terms = self._known(alike, upstream, at_s)
        if terms is None:
            found = _terms(model, mapped, asked, caching, route, self.catalog, at_s)
            if isinstance(found, Unbounded):
                return found
            self._remember(alike, terms := found)
        return terms

    def _known(self, alike: tuple[object, ...], upstream: Upstream, at_s: int) -> _Terms | None:
        terms = self._remembered.get(alike)
        if terms is None or terms.upstream is not upstream or not terms.starts_at_s <= at_s < terms.ends_at_s:
            return None
        return terms

    def _remember(self, alike: tuple[object, ...], terms: _Terms) -> None:
        if len(self._remembered) >= TERMS_MAX:
            self._remembered.clear()
        self._remembered[alike] = terms


def worst_case(call: Call, route: Route, catalog: Catalog, at_s: int) -> WorstCase | Unbounded:
    """The same for one call alone."""
    return WorstCases(catalog).find(call, route, at_s)


def tighten(worst: WorstCase, call: Call, route: Route) -> WorstCase:
    """The same with the tokens of the text counted, where its tokenizer is known; else unchanged.

    Takes milliseconds, and half a second at first: call it off the event loop.
    """
    name = family(_priced_model(call.model, route.destination)[0])
    if not worst.text_tokens or route.destination.provider.name not in _COUNTED_AT or not _COUNTED.match(name):
        return worst
    encoding = next(row for row in estimate.TOKENIZERS if row.names.match(name)).encoding
    try:
        saved = worst.text_tokens - _counted(jsontext.decode(_any_json, call.text), encoding)
    except (jsontext.NotJson, RecursionError):
        return worst
    if saved <= 0:
        return worst
    tokens_in = worst.tokens_in - saved
    tighter = bound_at(worst.lines, tokens_in)
    assert isinstance(tighter, Bound), "fewer tokens have a bound where more of them had one"
    return replace(worst, tokens_in=tokens_in, bound=tighter, text_tokens=worst.text_tokens - saved)


def _unmetered(route: Route) -> WorstCase | Unbounded:
    """Nothing, for what is free; but some of that begins what is not."""
    if route.endpoint.flag == _STORAGE:
        return Unbounded("what is stored is billed by the day, without a bound")
    return Unbounded(route.endpoint.begins) if route.endpoint.begins else FREE


def _asked(call: Call, route: Route, model: str) -> Asked | Unbounded:
    reader = READERS.get(route.endpoint.reader)
    if reader is None:
        return Unbounded(f"nothing bounds what {route.endpoint.name} costs")
    try:
        asked = reader(Body(call.text, route.destination.provider.name, model))
    except (jsontext.NotJson, msgspec.ValidationError, RecursionError):
        return Unbounded("the body cannot be read as a request of its API")
    if call.modifiers and isinstance(asked, Asked):
        return replace(asked, modifiers=asked.modifiers + call.modifiers)
    return asked


def _terms(
    model: str, mapped: bool, asked: Asked, caching: Caching, route: Route, catalog: Catalog, at_s: int
) -> _Terms | Unbounded:
    if _ACTS_UNASKED.fullmatch(model.lower()):
        return Unbounded(f"{shown(model)} searches or calls tools by itself, as often as it likes")
    destination = route.destination
    prices = _prices(model, mapped, asked, destination, catalog, at_s)
    if isinstance(prices, Unbounded) and not _is_known(model, mapped, destination):
        model = _NAMELESS
    used = most_used(
        asked,
        caching,
        provider=destination.provider.name,
        reader=route.endpoint.reader,
        model=model,
        limits=_limits(destination.provider.catalog, model, None if isinstance(prices, Unbounded) else prices[0]),
    )
    mosts = prices if isinstance(prices, Unbounded) else _mosts(prices, used, asked)
    if isinstance(prices, Unbounded) or isinstance(mosts, Unbounded):
        assert isinstance(mosts, Unbounded), "without a price nothing is known at one"
        if not mosts.unpriced or isinstance(used, Unbounded):
            return mosts if isinstance(used, Most) else replace(mosts, of_tokens=used.reason)
        # As long as this second: a price that is stated may begin to hold in the next.
        return _terms_of([used], (), (at_s, at_s + 1), model, asked, destination, mosts)
    known = dearest_of([line for most, price in zip(mosts, prices, strict=True) for line in lines(most, price)])
    # Those of the usual price are those of the model: what has no price in a context has none so long.
    holds = max(price.starts_at_s for price in prices), min(price.ends_at_s for price in prices)
    return _terms_of(mosts, known, holds, model, asked, destination)


def _mosts(prices: list[Price], used: Most | Unbounded, asked: Asked) -> list[Most] | Unbounded:
    """The most that is used of what each price is of."""
    mosts: list[Most] = []
    for price in prices:
        most = most_at(price, used, asked)
        if isinstance(most, Unbounded):
            return most
        mosts.append(most)
    return mosts


def _terms_of(
    mosts: list[Most],
    known: tuple[Line, ...],
    holds: tuple[int, int],
    model: str,
    asked: Asked,
    destination: Destination,
    unpriced: Unbounded | None = None,
) -> _Terms:
    """The terms of calls that use at most so much, for the seconds in which they hold."""
    tokens_in = max(most.tokens_in for most in mosts)
    whole = reads_whole_context(asked, model)
    uncapped = asked.cap is None and asked.puts_out
    return _Terms(
        upstream=destination.upstream,
        starts_at_s=holds[0],
        ends_at_s=holds[1],
        lines=known,
        tokens_in=tokens_in,
        tokens_out=max(most.tokens_out for most in mosts),
        open_ended=uncapped and not hides_output(asked) and _SHOWS_ALL.match(family(model)) is not None,
        flags=(WHOLE_CONTEXT,) * whole + (MODEL_MAXIMUM,) * uncapped,
        counts_text=bool(tokens_in) and not whole,
        tightens=not (whole or asked.parts.images or asked.more_in or asked.by_rate),
        unpriced=unpriced,
    )


def _either(left: WorstCase, right: WorstCase) -> WorstCase:
    """The worst of both, of which one will come."""
    return WorstCase(
        max(left.tokens_in, right.tokens_in),
        max(left.tokens_out, right.tokens_out),
        left.bound | right.bound,
        left.open_ended and right.open_ended,
        tuple(dict.fromkeys((*left.flags, *right.flags))),
        unpriced=left.unpriced or right.unpriced,
    )


# --- Which model, at which prices


def _priced_model(requested: str, destination: Destination) -> tuple[str, bool]:
    """The model that settle.py prices if the answer names the one that was asked for, and whether a map named it."""
    named = destination.upstream.models.get(requested)
    if named:
        return named, True
    return (requested.rpartition("/")[2] if requested.startswith("arn:") else requested), False


def _prices(
    model: str, mapped: bool, asked: Asked, destination: Destination, catalog: Catalog, at_s: int
) -> list[Price] | Unbounded:
    """Every price that may hold, the usual one first."""
    upstream, provider = destination.upstream, destination.provider
    if not model or not model.isascii() or not model.isprintable() or " " in model:
        return Unbounded(f"{shown(model)} has no price: name a model exactly as its provider does", unpriced=True)
    if provider.name == "azure" and not mapped:
        # A deployment may be called after another model than the one it is of.
        return Unbounded(
            f"the deployment {shown(model)} has no price: name its model in upstreams.{upstream.name}.models",
            unpriced=True,
        )
    found: list[Price] = []
    for context, is_named in _contexts(provider.name, asked.modifiers):
        price = catalog.find(provider.catalog, model, at_s, context, scope=upstream.name, mapped=mapped)
        if isinstance(price, Price):
            found.append(price)
        elif is_named:
            return _unpriced(price, model, context, upstream.name)
    return found


def _unpriced(price: Unpriced, model: str, context: Context, upstream: str) -> Unbounded:
    where = " at " + ", ".join(f"{name} {shown(value)}" for name, value in context) if context else ""
    return Unbounded(
        f"{shown(model)} has no price{where} ({price.reason}): state its rates in price_overrides, or the model that"
        f" it stands for in upstreams.{upstream}.models",
        unpriced=True,
    )


@lru_cache(CONTEXTS_MAX)
def _contexts(provider: str, modifiers: Context) -> tuple[tuple[Context, bool], ...]:
    """The contexts that may hold, and whether one must have a price: the usual one, and what the request names."""
    named = {name: value for name, value in modifiers if value.lower() not in _LEAVES_OPEN}
    unnamed = {name: values for name, values in _UNNAMED.get(provider, {}).items() if name not in named}
    choices = [[None, (name, value, True)] for name, value in named.items()]
    choices += [[None, *((name, value, False) for value in values)] for name, values in unnamed.items()]
    found = ([each for each in choice if each is not None] for choice in product(*choices))
    return tuple(
        (tuple((name, value) for name, value, _ in chosen), all(is_named for _, _, is_named in chosen))
        for chosen in found
    )


def _is_known(model: str, mapped: bool, destination: Destination) -> bool:
    """Whether a name without a price is a model's all the same. A deployment may be called after another model."""
    if destination.provider.name == "azure" and not mapped:
        return False
    return find_limits(destination.provider.catalog, model) is not None


def _limits(provider: str, model: str, price: Price | None) -> Limits:
    """The model's limits, by its own name or by that of the model whose price it has."""
    return find_limits(provider, model) or (price and find_limits(provider, price.model)) or _UNKNOWN


# --- Counting


_any_json = msgspec.json.Decoder(object)


def _counted(value: object, encoding: str) -> int:
    """Tokens of a body at most: of all its texts, names and numbers, and around each what a rendering may put there."""
    total = 0
    pending = [value]
    while pending:
        top = pending.pop()
        total += _TEXT_TOKENS
        if isinstance(top, dict):
            members = cast("dict[str, object]", top)
            pending.extend(members)
            pending.extend(members.values())
        elif isinstance(top, list):
            pending.extend(cast("list[object]", top))
        elif isinstance(top, str):
            total += tokens.count(top, encoding)
        else:
            total += len(str(top))
    return total
