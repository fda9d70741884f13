import contextlib
import gzip
import random
import subprocess
import sys
import weakref
import zlib
from collections.abc import Callable
from pathlib import Path

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from gateway.wire.encoding import (
    MEMBERS_MAX,
    REQUEST_BURST_BYTES_MAX,
    REQUEST_GROWTH_MAX,
    DecodeFault,
    decode_request,
    decoder,
    is_plain,
)

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
    b"br": lambda data: brotli.compress(data, quality=5),
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


LIMIT = 64 << 20
MIB = bytes(1 << 20)


@ALL
def test_a_request_is_decoded_whole(name):
    assert decode_request(name, ENCODERS[name](PLAIN), LIMIT) == PLAIN


@ALL
@given(st.binary(max_size=3000))
def test_any_request_is_decoded_whole(name, plain):
    assert decode_request(name, ENCODERS[name](plain), LIMIT) == plain


@ALL
def test_a_request_that_ends_early_anywhere_is_a_fault(name):
    packed = ENCODERS[name](PLAIN[-500:])
    for end in range(len(packed)):
        with pytest.raises(DecodeFault):
            decode_request(name, packed[:end], LIMIT)


@ALL
@pytest.mark.parametrize("more", [b"\x00", b"x", b"more" * 20_000])
def test_bytes_behind_a_request_s_end_are_a_fault(name, more):
    with pytest.raises(DecodeFault):
        decode_request(name, ENCODERS[name](PLAIN) + more, LIMIT)


@pytest.mark.parametrize("name", [name for name in ENCODERS if b"gzip" not in name.lower()])
def test_a_second_body_behind_a_request_s_end_is_a_fault(name):
    with pytest.raises(DecodeFault):
        decode_request(name, ENCODERS[name](b"one") + ENCODERS[name](b"two"), LIMIT)


def test_a_request_may_be_of_several_gzip_members_but_not_of_any_number():
    assert decode_request(b"gzip", gzip.compress(b"one ") + gzip.compress(b"two"), LIMIT) == b"one two"
    assert decode_request(b"gzip", gzip.compress(b"a") * MEMBERS_MAX, LIMIT) == b"a" * MEMBERS_MAX
    with pytest.raises(DecodeFault):
        decode_request(b"gzip", gzip.compress(b"") * (MEMBERS_MAX + 2), LIMIT)


SKIPPABLE = b"\x50\x2a\x4d\x18\x04\x00\x00\x00abcd"


def test_a_zstd_request_is_one_frame():
    frame = zstandard.ZstdCompressor(write_checksum=True).compress(b"text")
    assert decode_request(b"zstd", frame, LIMIT) == b"text"
    for body in (SKIPPABLE + frame, frame + SKIPPABLE, frame[:-1] + b"\xff", frame + frame):
        with pytest.raises(DecodeFault):
            decode_request(b"zstd", body, LIMIT)


def test_a_zstd_answer_may_be_of_several_frames_but_not_of_any_number():
    frame = zstandard.compress(b"a")
    assert decoded(b"zstd", [frame * 3, frame]) == b"aaaa"
    assert decoded(b"zstd", [(frame * 300)[at : at + 7] for at in range(0, len(frame) * 300, 7)]) == b"a" * 300
    with pytest.raises(DecodeFault):
        decoded(b"zstd", [frame * (MEMBERS_MAX + 2)])


def test_a_zstd_window_beyond_the_standard_s_is_a_fault():
    large = zstandard.ZstdCompressor(compression_params=zstandard.ZstdCompressionParameters(window_log=24))
    packed = large.compressobj()
    body = packed.compress(random.Random(7).randbytes(100_000)) + packed.flush()
    with pytest.raises(DecodeFault):
        decode_request(b"zstd", body, LIMIT)


@pytest.mark.parametrize("name", [b"gzip", b"br", b"zstd"])
def test_an_honest_request_of_32_mb_passes(name):
    images = random.Random(7).randbytes(14_000_000).hex().encode()
    repeated = PLAIN * (5_000_000 // len(PLAIN))
    plain = images[:1_000_000] + repeated + images[1_000_000:]
    assert len(plain) > 32_000_000
    packed = gzip.compress(plain, 1) if name == b"gzip" else ENCODERS[name](plain)
    assert decode_request(name, packed, LIMIT) == plain


@ALL
def test_a_request_may_be_far_ahead_of_its_bytes_but_not_by_more_than_the_limit(name):
    assert decode_request(name, ENCODERS[name](bytes(REQUEST_BURST_BYTES_MAX - 1)), LIMIT)
    beyond = ENCODERS[name](bytes(2 * REQUEST_BURST_BYTES_MAX))
    assert len(beyond) * REQUEST_GROWTH_MAX < REQUEST_BURST_BYTES_MAX
    with pytest.raises(DecodeFault):
        decode_request(name, beyond, LIMIT)


@ALL
def test_a_request_may_be_exactly_as_large_as_the_limit(name):
    assert decode_request(name, ENCODERS[name](PLAIN), len(PLAIN)) == PLAIN
    with pytest.raises(DecodeFault):
        decode_request(name, ENCODERS[name](PLAIN), len(PLAIN) - 1)


@ALL
@given(st.binary(max_size=60))
def test_no_request_raises_anything_but_a_fault(name, body):
    with contextlib.suppress(DecodeFault):
        decode_request(name, body, LIMIT)


def test_an_unknown_encoding_of_a_request_is_not_decoded():
    assert decode_request(b"gzip, br", b"", LIMIT) is None


def gzip_bomb(noise: bytes) -> bytes:
    """10 MB that are 10 GB: one flushed piece of zeros, again and again."""
    squeezer = zlib.compressobj(9, zlib.DEFLATED, 31)
    opening = squeezer.compress(noise) + squeezer.flush(zlib.Z_FULL_FLUSH)
    piece = squeezer.compress(MIB) + squeezer.flush(zlib.Z_FULL_FLUSH)
    return opening + piece * 10_000 + squeezer.flush()


def brotli_bomb(noise: bytes) -> bytes:
    """A few KB that are 10 GB."""
    squeezer = brotli.Compressor(quality=5, lgwin=24)
    opening = squeezer.process(noise + MIB) + squeezer.flush()
    pieces = {squeezer.process(MIB) + squeezer.flush() for _ in range(3)}
    assert len(pieces) == 1
    return opening + pieces.pop() * 10_000 + squeezer.finish()


def zstd_bomb(noise: bytes) -> bytes:
    """A few hundred KB that are 10 GB, with a window of 8 MiB."""
    raw = [noise[at : at + (1 << 17)] for at in range(0, len(noise), 1 << 17)]
    opening = b"\x28\xb5\x2f\xfd\x00\x68" + b"".join((len(data) << 3).to_bytes(3, "little") + data for data in raw)
    run = (1 << 17 << 3 | 2).to_bytes(3, "little") + b"0"
    return opening + run * 80_000 + b"\1\0\0"


# Prints what the refusal cost: milliseconds of CPU and KiB of memory beyond what the process had with the body in hand.
MEASURE = """
import resource, sys, time
from gateway.wire.encoding import DecodeFault, decode_request
body = open(sys.argv[2], "rb").read()
for _ in range(2):
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    before_s = time.process_time()
    try:
        decode_request(sys.argv[1].encode(), body, 64 << 20)
        sys.exit("it was decoded")
    except DecodeFault:
        used_s = time.process_time() - before_s
        print(used_s * 1000, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib)
"""
BOMBS = {"gzip": gzip_bomb, "br": brotli_bomb, "zstd": zstd_bomb}


@pytest.mark.parametrize("noise_bytes", [0, 9_000_000], ids=["at once", "behind noise"])
@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_costs_little_time_and_memory(name, noise_bytes, tmp_path):
    path = tmp_path / "bomb"
    path.write_bytes(BOMBS[name](random.Random(7).randbytes(noise_bytes)))
    root = Path(__file__).parents[4]
    command = [sys.executable, "-B", "-c", MEASURE, name, str(path)]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    (first_ms, first_kib), (again_ms, again_kib) = (map(float, line.split()) for line in done.stdout.splitlines())
    # 100 ms is what it may cost; a busy or old machine gets ten times that.
    assert min(first_ms, again_ms) < 1000
    assert first_kib + again_kib < 32 * 1024


# Prints by how many KiB some thousand decoded bodies let the process grow: good ones, broken ones, bombs.
LEAK = """
import sys
from gateway.wire.encoding import DecodeFault, decode_request, decoder
good, bomb = (open(path, "rb").read() for path in sys.argv[2:])
encoding = sys.argv[1].encode()
def held_kib():
    with open("/proc/self/statm") as pages:
        return int(pages.read().split()[1]) * 4
def decode_all(times):
    for _ in range(times):
        for body in (good, good[:-1], good[:20] + b"no", bomb):
            try:
                decode_request(encoding, body, 1 << 16)
            except DecodeFault:
                pass
            try:
                decoder(encoding, 1 << 16).feed(body)
            except DecodeFault:
                pass
decode_all(50)
before = held_kib()
decode_all(300)
print(held_kib() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads its memory from /proc")
@pytest.mark.parametrize("name", [b"gzip", b"deflate", b"br", b"zstd"])
def test_no_body_leaves_memory_behind(name, tmp_path):
    good, bomb = tmp_path / "good", tmp_path / "bomb"
    good.write_bytes(ENCODERS[name](PLAIN[:5000]))
    bomb.write_bytes(ENCODERS[name](bytes(1_000_000)))
    command = [sys.executable, "-B", "-c", LEAK, name.decode(), str(good), str(bomb)]
    done = subprocess.run(command, cwd=Path(__file__).parents[4], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    # One buffer of 64 KiB that stays behind each time would be 150 MB.
    assert int(done.stdout) < 4 * 1024


def test_a_decoder_that_is_given_up_is_freed_at_once():
    """zstandard's objects take no part in garbage collection: a cycle through one would never be freed."""
    for encoding in (b"gzip", b"deflate", b"br", b"zstd"):
        given_up = decoder(encoding)
        assert given_up is not None
        freed = weakref.ref(given_up)
        with contextlib.suppress(DecodeFault):
            given_up.feed(b"\x28\xb5\x2f\xfd\x60\xd2\xd2")
        del given_up
        assert freed() is None, encoding


def test_some_names_are_of_no_encoding():
    assert all(map(is_plain, (b"", b"identity", b"Identity", b"none", b"UTF-8")))
    assert not any(map(is_plain, (b"gzip", b"rot13", b"gzip, identity")))
