import contextlib
import gzip
import random
import zlib
from collections.abc import Callable

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from gateway.wire.encoding import DecodeFault, decoder

NOISE = random.Random(7).randbytes(2000).hex().encode()
PLAIN = b'{"text":"' + b"sixteen tons and what do you get " * 2000 + NOISE + b'"}'


def raw_deflate(data: bytes) -> bytes:
    squeezer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return squeezer.compress(data) + squeezer.flush()


ENCODERS: dict[bytes, Callable[[bytes], bytes]] = {
    b"gzip": gzip.compress,
    b"X-GZIP ": gzip.compress,
    b"deflate": zlib.compress,
    b"Deflate": raw_deflate,
    b"br": brotli.compress,
    b"zstd": zstandard.compress,
}
ALL = pytest.mark.parametrize("name", ENCODERS)


def decoded(name: bytes, pieces: list[bytes], bytes_max: int = 1 << 20) -> bytes:
    reader = decoder(name, bytes_max)
    assert reader is not None
    return b"".join([reader.feed(piece) for piece in pieces])


@ALL
def test_a_body_is_decoded_whole_and_byte_by_byte(name):
    packed = ENCODERS[name](PLAIN)
    assert decoded(name, [packed]) == PLAIN
    assert decoded(name, [packed[at : at + 1] for at in range(len(packed))]) == PLAIN


@ALL
@given(st.data())
def test_a_body_is_decoded_however_it_is_cut(name, data):
    plain = data.draw(st.binary(max_size=3000))
    packed = ENCODERS[name](plain)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(packed)), max_size=8)))
    pieces = [packed[a:b] for a, b in zip([0, *cuts], [*cuts, len(packed)], strict=True)]
    assert decoded(name, pieces) == plain


@ALL
def test_a_body_that_grows_much_is_decoded_whole(name):
    plain = PLAIN + bytes(3_000_000) + PLAIN
    packed = ENCODERS[name](plain)
    for size in (len(packed), 70_000, 1000):
        pieces = [packed[at : at + size] for at in range(0, len(packed), size)]
        assert decoded(name, pieces, bytes_max=10_000_000) == plain


@ALL
def test_what_has_arrived_of_a_flushed_stream_is_there_at_once(name):
    if name in (b"br", b"zstd"):
        packer = brotli.Compressor() if name == b"br" else zstandard.ZstdCompressor().compressobj()
        first = (
            packer.process(b"event") + packer.flush()
            if name == b"br"
            else packer.compress(b"event") + packer.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
        )
    else:
        bits = {b"gzip": 31, b"X-GZIP ": 31, b"deflate": 15, b"Deflate": -15}[name]
        squeezer = zlib.compressobj(wbits=bits)
        first = squeezer.compress(b"event") + squeezer.flush(zlib.Z_SYNC_FLUSH)
    assert decoded(name, [first]) == b"event"


@ALL
def test_a_truncated_body_gives_what_there_is_of_it(name):
    packed = ENCODERS[name](PLAIN)
    assert PLAIN.startswith(decoded(name, [packed[:-10]]))


@ALL
def test_a_bomb_is_given_up_on(name):
    bomb = ENCODERS[name](bytes(30_000_000))
    assert len(bomb) < 100_000
    with pytest.raises(DecodeFault):
        decoded(name, [bomb])


@ALL
def test_a_bomb_in_small_pieces_is_given_up_on(name):
    bomb = ENCODERS[name](bytes(5_000_000))
    with pytest.raises(DecodeFault):
        decoded(name, [bomb[at : at + 9] for at in range(0, len(bomb), 9)])


@ALL
def test_garbage_is_given_up_on(name):
    with pytest.raises(DecodeFault):
        decoded(name, [b"\xff\xfe no such thing " * 10])


@ALL
@given(st.lists(st.binary(max_size=60), max_size=4))
def test_no_bytes_raise_anything_but_a_fault(name, pieces):
    with contextlib.suppress(DecodeFault):
        decoded(name, pieces)


@pytest.mark.parametrize("name", [b"", b"identity", b"compress", b"gzip, br", b"gzip;q=1", b"GZIPPED"])
def test_an_unknown_or_stacked_encoding_has_no_decoder(name):
    assert decoder(name) is None


def test_gzip_members_are_one_body():
    body = gzip.compress(b"one ") + gzip.compress(b"two")
    decode = decoder(b"gzip")
    assert decode is not None
    assert decode.feed(body) == b"one two"

    split = decoder(b"gzip")
    assert split is not None
    assert b"".join(split.feed(bytes((byte,))) for byte in body) == b"one two"


def test_bytes_behind_a_deflated_body_are_a_fault():
    decode = decoder(b"deflate")
    assert decode is not None
    with pytest.raises(DecodeFault):
        decode.feed(zlib.compress(b"all") + b"more")
