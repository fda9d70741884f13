"""Owns changing seeds at random, the same way for the same seed: fuzzing for where no fuzzer is installed."""

import random
from collections.abc import Iterator, Sequence

_INTERESTING = (
    b"\x00", b"\xff", b"\r\n", b"\n", b"\r", b'"', b"\\", b"{", b"}", b"[", b"]", b":", b",", b";", b"--", b"data: ",
    b'"usage":null', b'"usage":{', b"\\u0000", b"\\ud800", b"\xed\xa0\x80", b"1e999", b"0\r\n\r\n", b"\xef\xbb\xbf",
)  # fmt: skip
# Beyond this a mutated input only costs time.
_BYTES_MAX = 16 * 1024


def mutations(seeds: Sequence[bytes], count: int, seed: int) -> Iterator[bytes]:
    """`count` changed seeds, each changed one to eight times."""
    source = random.Random(seed)
    for _ in range(count):
        data = bytearray(source.choice(seeds)[:_BYTES_MAX])
        for _ in range(source.randint(1, 8)):
            _change(source, data, seeds)
        yield bytes(data)


def _change(source: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    at = source.randrange(len(data) + 1)
    end = min(len(data), at + source.choice((0, 0, 1, 1, 2, 4, 16, 256)))
    match source.randrange(6):
        case 0:
            data[at:end] = source.randbytes(end - at)
        case 1:
            data[at:end] = source.choice(_INTERESTING)
        case 2:
            del data[at:end]
        case 3:
            data[at:at] = data[at:end] * source.choice((1, 1, 2, 40))
        case 4:
            other = source.choice(seeds)
            start = source.randrange(len(other) + 1)
            data[at:end] = other[start : start + source.choice((1, 8, 64, 512))]
        case _:
            data[at:] = b""
