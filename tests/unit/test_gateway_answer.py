"""Status and headers of a GET or HEAD for a file, and what a stranger's file is served as."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.web.gateway.answer import answer
from headwater.web.gateway.content import disposition, etag_of, safe_type
from headwater.web.gateway.ranges import Part

TAG = etag_of(b"\xab" * 32)


def test_get_is_the_whole_file() -> None:
    found = answer("GET", {}, 10, TAG)
    assert (found.status, found.part) == (200, Part(0, 10))
    assert found.headers["Accept-Ranges"] == "bytes" and found.headers["ETag"] == TAG
    assert "immutable" in found.headers["Cache-Control"]


def test_a_range_is_206_with_content_range() -> None:
    found = answer("GET", {"range": "bytes=2-4"}, 10, TAG)
    assert (found.status, found.part) == (206, Part(2, 5))
    assert found.headers["Content-Range"] == "bytes 2-4/10"


def test_an_unsatisfiable_range_is_416_and_tells_the_size() -> None:
    found = answer("GET", {"range": "bytes=10-"}, 10, TAG)
    assert (found.status, found.part) == (416, None)
    assert found.headers["Content-Range"] == "bytes */10"


def test_head_has_the_length_and_ignores_ranges() -> None:
    found = answer("HEAD", {"range": "bytes=2-4"}, 10, TAG)
    assert (found.status, found.part) == (200, None)
    assert found.headers["Content-Length"] == "10" and "Content-Range" not in found.headers


@pytest.mark.parametrize("tags", [TAG, f"W/{TAG}", f'"other", {TAG}', "*"])
def test_what_the_client_has_is_not_sent_again(tags: str) -> None:
    assert answer("GET", {"if-none-match": tags, "range": "bytes=0-1"}, 10, TAG).status == 304
    assert answer("HEAD", {"if-none-match": tags}, 10, TAG).status == 304


def test_preconditions_that_fail() -> None:
    assert answer("GET", {"if-none-match": '"other"'}, 10, TAG).status == 200
    assert answer("GET", {"if-match": '"other"'}, 10, TAG).status == 412
    assert answer("GET", {"if-match": f"W/{TAG}"}, 10, TAG).status == 412
    assert answer("GET", {"if-match": TAG}, 10, TAG).status == 200


@pytest.mark.parametrize(
    ("claimed", "sent"),
    [
        ("video/mp4", "video/mp4"),
        ("Video/MP4; codecs=avc1", "video/mp4"),
        ("text/html", "application/octet-stream"),
        ("image/svg+xml", "application/octet-stream"),
        ("video/mp4\r\nX: y", "application/octet-stream"),
        ("", "application/octet-stream"),
    ],
)
def test_only_media_keep_their_type(claimed: str, sent: str) -> None:
    assert safe_type(claimed) == sent


def test_a_name_is_given_in_both_spellings() -> None:
    assert disposition("Ferien ä.mp4", is_download=True) == (
        "attachment; filename=\"Ferien _.mp4\"; filename*=UTF-8''Ferien%20%C3%A4.mp4"
    )


@given(st.text(max_size=300))
def test_no_name_breaks_out_of_its_header(name: str) -> None:
    value = disposition(name, is_download=False)
    value.encode("ascii")
    assert value.count('"') == 2 and value.isprintable()
    assert "/" not in value.split("filename*=")[0].removeprefix("inline; ")
