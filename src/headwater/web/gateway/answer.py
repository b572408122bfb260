"""What a GET or HEAD for an immutable file gets: status, headers, stretch. RFC 9110. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from headwater.web.gateway.content import is_listed
from headwater.web.gateway.ranges import Part, Unsatisfiable, plan

__all__ = ["Answer", "answer"]

IMMUTABLE = "private, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Answer:
    """`part` is what the body holds; None when there is no body to read."""

    status: int
    headers: dict[str, str]
    part: Part | None = None


def answer(method: str, asked: Mapping[str, str], size_bytes: int, etag: str) -> Answer:
    """Preconditions first, then the range (section 13.2.2). `asked`: headers by lower-case name."""
    headers = {"ETag": etag, "Accept-Ranges": "bytes", "Cache-Control": IMMUTABLE}
    if "if-match" in asked and not is_listed(asked["if-match"], etag, weak=False):
        return Answer(412, headers)
    if is_listed(asked.get("if-none-match"), etag, weak=True):
        return Answer(304, headers)
    if method == "HEAD":  # ranges are defined for GET only (section 14.2)
        return Answer(200, {**headers, "Content-Length": str(size_bytes)})
    planned = plan(asked.get("range"), size_bytes, if_range=asked.get("if-range"), etag=etag)
    if isinstance(planned, Unsatisfiable):
        return Answer(416, {**headers, "Content-Range": f"bytes */{size_bytes}"})
    if isinstance(planned, Part):
        content_range = f"bytes {planned.start}-{planned.end - 1}/{size_bytes}"
        return Answer(206, {**headers, "Content-Range": content_range}, planned)
    return Answer(200, headers, Part(0, size_bytes))
