"""What is accepted as a video's info-dict, and all that is not."""

from hashlib import sha1, sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.errors import RemoteProtocolError
from headwater.store.bencode import Value, parse_bencode
from headwater.store.shape import VideoShape
from headwater.store.torrent import MAX_INFO_BYTES, Torrent, check_file_name, check_shape
from headwater.transfer.proof import LayerTree

PIECE_BYTES = 32768
LAYER = bytes(range(96))
SHAPE = VideoShape(70_000, PIECE_BYTES)
ROOT = LayerTree(SHAPE, LAYER).root


def bencode(value: Value) -> bytes:
    if isinstance(value, int):
        return b"i%de" % value
    if isinstance(value, bytes):
        return b"%d:%s" % (len(value), value)
    if isinstance(value, list):
        return b"l%se" % b"".join(map(bencode, value))
    return b"d%se" % b"".join(bencode(k) + bencode(v) for k, v in sorted(value.items()))


def fields(name: bytes = b"holiday.mp4", **changes: Any) -> dict[bytes, Any]:
    whole = {
        b"file tree": {name: {b"": {b"length": 70_000, b"pieces root": ROOT}}},
        b"length": 70_000,
        b"meta version": 2,
        b"name": name,
        b"piece length": PIECE_BYTES,
        b"pieces": bytes(60),
        b"source": b"kept as it is",
    }
    whole |= {key.replace("_", " ").encode(): value for key, value in changes.items()}
    return {key: value for key, value in whole.items() if value is not None}


def test_a_hybrid_info_dict_tells_all_about_its_file() -> None:
    info = bencode(fields())
    torrent = Torrent.parse(info, LAYER)
    assert torrent.video == sha256(info).digest()
    assert torrent.infohash_v1 == sha1(info).digest()
    assert (torrent.shape, torrent.pieces_root, torrent.file_name) == (SHAPE, ROOT, "holiday.mp4")
    assert (torrent.info, torrent.layer) == (info, LAYER)


FILE = {b"length": 70_000, b"pieces root": ROOT}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"file_tree": None}, "no 'file tree'"),
        ({"file_tree": b"x"}, "no dictionary"),
        ({"file_tree": {b"a": {b"": FILE}, b"b": {b"": FILE}}}, "more than the one"),
        ({"file_tree": {b"other.mp4": {b"": FILE}}}, "more than the one"),
        ({"file_tree": {b"holiday.mp4": {b"a": {b"": FILE}}}}, "folder"),
        ({"file_tree": {b"holiday.mp4": {b"": {b"length": 0}}}}, "no 'pieces root'"),
        ({"file_tree": {b"holiday.mp4": {b"": FILE | {b"pieces root": b"short"}}}}, "32 bytes"),
        ({"file_tree": {b"holiday.mp4": {b"": FILE | {b"length": 0}}}}, "at least 1 byte"),
        ({"file_tree": {b"holiday.mp4": {b"": FILE | {b"length": b"1"}}}}, "no number"),
        ({"piece_length": 20_000}, "power of two"),
        ({"piece_length": 2**25}, "limit"),
        ({"meta_version": 1}, "versions 1 and 2"),
        ({"meta_version": None}, "no 'meta version'"),
        ({"files": []}, "versions 1 and 2"),
        ({"length": 70_001}, "different lengths"),
        ({"pieces": bytes(40)}, "3 SHA-1"),
        ({"pieces": 7}, "no string"),
        ({"name": b"\xff\xfe.mp4"}, "UTF-8"),
    ],
)
def test_what_is_not_one_file_in_both_versions_is_refused(
    changes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(RemoteProtocolError, match=reason):
        Torrent.parse(bencode(fields(**changes)), LAYER)


@pytest.mark.parametrize("layer", [b"", LAYER[:-1], LAYER + bytes(32), LAYER[::-1]])
def test_a_layer_that_does_not_lead_to_the_root_is_refused(layer: bytes) -> None:
    with pytest.raises(RemoteProtocolError, match="layer"):
        Torrent.parse(bencode(fields()), layer)


def test_sizes_have_limits() -> None:
    with pytest.raises(RemoteProtocolError, match="passes"):
        Torrent.parse(bytes(MAX_INFO_BYTES + 1), LAYER)
    with pytest.raises(RemoteProtocolError, match="dictionary"):
        Torrent.parse(b"i1e", LAYER)
    check_shape(VideoShape(2**20 * 16384, 16384))
    check_shape(VideoShape(2**42, 2**24))
    for too_large in (VideoShape(2**20 * 16384 + 1, 16384), VideoShape(2**42 + 1, 2**24)):
        with pytest.raises(RemoteProtocolError, match="limit"):
            check_shape(too_large)


BAD_NAMES = [
    "",
    ".",
    "..",
    "../up.mp4",
    "a/b.mp4",
    "a\\b.mp4",
    "nul\0.mp4",
    "line\n.mp4",
    "escape\x1b[2J.mp4",
    "c1\x9b.mp4",
    "line\u2028.mp4",
    "x" * 256,
    "\N{GRINNING FACE}" * 64,
]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_names_that_could_do_harm_are_refused(name: str) -> None:
    with pytest.raises(RemoteProtocolError):
        Torrent.parse(bencode(fields(name.encode())), LAYER)


@pytest.mark.parametrize("name", ["x" * 255, "休暇.mp4", "عطلة.mkv", "a..b.mp4", "…", " .hidden"])
def test_names_in_any_script_are_kept(name: str) -> None:
    check_file_name(name)
    assert Torrent.parse(bencode(fields(name.encode())), LAYER).file_name == name


values: st.SearchStrategy[Value] = st.recursive(
    st.integers(-(2**62), 2**62) | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.binary(max_size=5), inner),
    max_leaves=20,
)


@given(value=values)
def test_bencoding_reads_back(value: Value) -> None:
    assert parse_bencode(bencode(value)) == value


@given(raw=st.binary(max_size=40) | st.text("ilde0123456789:-", max_size=30).map(str.encode))
def test_garbage_is_refused_or_canonical(raw: bytes) -> None:
    try:
        value = parse_bencode(raw)
    except RemoteProtocolError:
        return
    assert bencode(value) == raw


@given(value=values, cut=st.integers(1, 1000))
def test_a_cut_value_is_refused(value: Value, cut: int) -> None:
    raw = bencode(value)
    with pytest.raises(RemoteProtocolError):
        parse_bencode(raw[: -min(cut, len(raw))])


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"i01e",
        b"i-0e",
        b"i+1e",
        b"i1_0e",
        b"i 1e",
        b"ie",
        b"i" + b"9" * 40 + b"e",
        b"01:a",
        b"-1:a",
        b"5:a",
        b"d1:bi1e1:ai2ee",
        b"d1:ai1e1:ai2ee",
        b"di1ei2ee",
        b"i1ei2e",
        b"l" * 100_000,
        b"l" * 17 + b"e" * 17,
    ],
)
def test_each_value_has_one_spelling(raw: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        parse_bencode(raw)
