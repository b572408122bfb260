"""Items as rows of the catalogue and back: what was checked once is trusted from then on."""

from dataclasses import dataclass

import msgspec

from headwater.catalog.words import fold
from headwater.wire.frames import MALFORMED
from headwater.wire.ids import ItemKey, NodeId, VideoId
from headwater.wire.items import Body, Holding, Item, Signed, VideoEntry

__all__ = [
    "ENTRY_COLUMNS",
    "ITEM_COLUMNS",
    "CataloguedVideo",
    "age_ms",
    "entry_of",
    "is_readable",
    "item_of",
    "searchable",
    "values_of",
]

ITEM_COLUMNS = "key, digest, author, body, signature"
ENTRY_COLUMNS = "author, body"

_body = msgspec.msgpack.Decoder(Body)
_entry = msgspec.msgpack.Decoder(VideoEntry)


@dataclass(frozen=True, slots=True)
class CataloguedVideo:
    """A video as the channel describes it."""

    entry: VideoEntry
    channel: NodeId
    video: VideoId


def item_of(row: tuple[bytes, bytes, bytes, bytes, bytes]) -> Item:
    key, digest, author, body, signature = row
    signed = Signed(author, body, signature)
    return Item(NodeId(author), _body.decode(body), ItemKey(key), digest, signed)


def entry_of(row: tuple[bytes, bytes]) -> CataloguedVideo:
    entry = _entry.decode(row[1])
    return CataloguedVideo(entry, NodeId(row[0]), VideoId(entry.video))


def is_readable(body: bytes) -> bool:
    """Whether the rules of today take it; what an older version checked may break them."""
    try:
        _body.decode(body)
    except MALFORMED:
        return False
    return True


def age_ms(entry: VideoEntry) -> int:
    """When it was made, as lists sort it: an author may claim any date, but none after the
    signing."""
    return min(entry.created_ms, entry.version)


def values_of(item: Item) -> tuple[bytes | int | str, ...]:
    """The columns of table `item` from key to label."""
    body = item.body
    shown: tuple[int, str] = (0, "")
    if isinstance(body, VideoEntry):
        shown = age_ms(body), fold(body.title)
    elif isinstance(body, Holding):
        shown = 0, body.state
    kind = str(body.__struct_config__.tag)
    signed = item.signed
    video = item.video or b""
    return (
        *(item.key, item.version, item.digest, item.author, kind, video),
        *(signed.body, signed.signature, *shown),
    )


def searchable(entry: VideoEntry) -> str:
    """What a search looks at: the title, and the file's name where it says something else."""
    stem = entry.file_name.rpartition(".")[0] or entry.file_name
    return entry.title if stem == entry.title else f"{entry.title} {entry.file_name}"
