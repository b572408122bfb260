"""What a stranger's file may be to a browser: its type, its name, its fetters. Pure."""

from urllib.parse import quote

__all__ = ["MEDIA_TYPES", "SAFE_HEADERS", "disposition", "etag_of", "is_listed", "safe_type"]

OCTETS = "application/octet-stream"
MEDIA_TYPES = frozenset(
    f"{kind}/{name}"
    for kind, names in {
        "audio": "aac flac mp4 mpeg ogg opus wav webm x-matroska",
        "image": "avif gif jpeg png webp",
        "text": "vtt",
        "video": "mp2t mp4 mpeg ogg quicktime webm x-flv x-matroska x-ms-wmv x-msvideo",
    }.items()
    for name in names.split()
)
"""Nothing that a browser would run or lay out as a page: no HTML, no XML, no SVG, no PDF."""

SAFE_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox; default-src 'none'; media-src *; img-src *",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
}
MAX_NAME = 255


def safe_type(media_type: str) -> str:
    """The type to send: the one claimed when it is harmless, else plain bytes."""
    plain = media_type.partition(";")[0].strip().lower()
    return plain if plain in MEDIA_TYPES else OCTETS


def disposition(file_name: str, *, is_download: bool) -> str:
    """A Content-Disposition value in RFC 6266's two spellings, quoted safely."""
    name = file_name.replace("\\", "/").rsplit("/", 1)[-1]
    name = "".join(c for c in name if c.isprintable())[:MAX_NAME].strip() or "video"
    ascii_name = "".join(c if c.isascii() and c not in '"%;' else "_" for c in name)
    kind = "attachment" if is_download else "inline"
    return f"{kind}; filename=\"{ascii_name}\"; filename*=UTF-8''{quote(name, safe='')}"


def etag_of(identity: bytes) -> str:
    """A strong tag: the id of a video or blob is a hash of its bytes."""
    return f'"{identity.hex()}"'


def is_listed(header: str | None, etag: str, *, weak: bool) -> bool:
    """Whether a list of tags names this one; `weak`: its weak spelling counts too."""
    if header is None:
        return False
    tags = [tag.strip() for tag in header.split(",")]
    return "*" in tags or etag in tags or (weak and f"W/{etag}" in tags)
