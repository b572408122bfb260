"""The MSE type string of an fMP4 init, read from the init itself: the catalogue may lag behind.
Pure. Source: ISO/IEC 14496-12 and -15, RFC 6381."""

from collections.abc import Iterator

from headwater.media.hls_boxes import boxes

__all__ = ["JPEG", "media_type_of"]

JPEG = "image/jpeg"
_SAMPLE_ENTRY_BYTES = {b"vide": 78, b"soun": 28}
"""Fixed fields of a sample entry, before its own boxes."""
_ES_DESCRIPTOR, _DECODER_CONFIG, _DECODER_SPECIFIC = 3, 4, 5


def media_type_of(init: bytes, claimed: str = "") -> str:
    """As `MediaSource.isTypeSupported` takes it; `claimed` where the init does not tell."""
    if claimed == JPEG:
        return claimed
    try:
        codecs = [codec for trak in _all(init, b"moov", b"trak") if (codec := _codec(trak))]
    except (IndexError, ValueError):
        codecs = []
    return f'video/mp4; codecs="{", ".join(codecs)}"' if codecs else claimed


def _all(raw: bytes, *path: bytes) -> Iterator[bytes]:
    """The contents of all boxes at that path."""
    for kind, content in boxes(raw):
        if kind == path[0]:
            if len(path) == 1:
                yield content
            else:
                yield from _all(content, *path[1:])


def _codec(trak: bytes) -> str:
    handler = next(_all(trak, b"mdia", b"hdlr"), b"")[8:12]
    for description in _all(trak, b"mdia", b"minf", b"stbl", b"stsd"):
        for kind, entry in boxes(description[8:]):
            return _spelled(kind, entry[_SAMPLE_ENTRY_BYTES.get(handler, 0) :])
    return ""


def _spelled(kind: bytes, inner: bytes) -> str:
    name = kind.decode("ascii", "replace")
    configuration = dict(boxes(inner))
    if kind in (b"avc1", b"avc3") and (avcc := configuration.get(b"avcC")):
        return f"{name}.{avcc[1:4].hex()}"
    if kind == b"mp4a" and (esds := configuration.get(b"esds")):
        return f"mp4a.{_audio_object(esds[4:])}"
    return {"Opus": "opus", "fLaC": "flac"}.get(name, name)


def _audio_object(descriptors: bytes) -> str:
    """`40.2` of an AAC-LC track: object type indication, then the audio object type."""
    tag, at = _descriptor(descriptors, 0)
    if tag != _ES_DESCRIPTOR:
        return "40.2"
    tag, at = _descriptor(descriptors, at + 3)
    indication = descriptors[at]
    if tag != _DECODER_CONFIG or indication != 0x40:
        return f"{indication:02x}"
    tag, at = _descriptor(descriptors, at + 13)
    return f"40.{descriptors[at] >> 3}" if tag == _DECODER_SPECIFIC else "40.2"


def _descriptor(raw: bytes, at: int) -> tuple[int, int]:
    """Tag of the descriptor at `at`, and where its content begins. Source: ISO/IEC 14496-1."""
    tag, at = raw[at], at + 1
    while raw[at] & 0x80:
        at += 1
    return tag, at + 1
