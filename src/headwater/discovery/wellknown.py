"""`host:port` as an address: the page there answers with the signed record of its node."""

import asyncio
import base64
import binascii
from urllib.parse import urlsplit

import msgspec

from headwater.errors import LocalUsageError, RemoteProtocolError, Unavailable
from headwater.wire.frames import MALFORMED
from headwater.wire.items import Item, NodeRecord, Signed, open_item

__all__ = ["DEFAULT_PORT", "PATH", "decode_record", "encode_record", "fetch_record", "page_of"]

PATH = "/.well-known/headwater"
DEFAULT_PORT = 7333
MAX_ANSWER_BYTES = 64 * 1024
TIMEOUT_S = 5.0
"""For all of it: name look-up, connection and answer."""

_signed_decoder = msgspec.msgpack.Decoder(Signed)


class _Answer(msgspec.Struct, frozen=True):
    item: str
    """Base64 of the MessagePack of a Signed node record."""


_answer_decoder = msgspec.json.Decoder(_Answer)


def page_of(address: str) -> str:
    """`http://host:port` for what a person typed: `host`, `host:port` or the page's own address.

    Raises: LocalUsageError."""
    text = address.strip().rstrip("/")
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise LocalUsageError(f"{address!r} is no host:port: {error}") from error
    if parts.scheme not in ("http", "https") or not host or parts.username is not None:
        raise LocalUsageError(f"{address!r} is no host:port; like 192.168.1.20:7333")
    named = f"[{host}]" if ":" in host else host
    if port is None:
        port = 443 if parts.scheme == "https" else DEFAULT_PORT
    return f"{parts.scheme}://{named}:{port}"


def encode_record(signed: Signed) -> bytes:
    """The body of the answer, JSON."""
    item = base64.b64encode(msgspec.msgpack.encode(signed)).decode()
    return msgspec.json.encode(_Answer(item))


def decode_record(body: bytes) -> Item:
    """The checked record. Raises: RemoteProtocolError when it is none."""
    try:
        raw = base64.b64decode(_answer_decoder.decode(body).item, validate=True)
        signed = _signed_decoder.decode(raw)
    except (*MALFORMED, binascii.Error, ValueError) as error:
        raise RemoteProtocolError(f"that is no Headwater node: {error}") from error
    item = open_item(signed)
    if not isinstance(item.body, NodeRecord):
        raise RemoteProtocolError("that node answered with something else than its record")
    return item


async def fetch_record(address: str) -> Item:
    """The record of the node whose page is at `address`.

    Raises: LocalUsageError for no address; Unavailable when nobody answers there;
    RemoteProtocolError when somebody else does."""
    import httpx  # a quarter of a second at every start, for what most nodes never do

    url = page_of(address) + PATH
    try:
        async with asyncio.timeout(TIMEOUT_S):
            body = await _get(url)
    except (httpx.HTTPError, TimeoutError) as error:
        why = str(error) or "no answer"
        raise Unavailable(f"{address} cannot be reached: {why}; is Headwater up there?") from error
    except httpx.InvalidURL as error:
        raise LocalUsageError(f"{address!r} is no host:port: {error}") from error
    return decode_record(body)


async def _get(url: str) -> bytes:
    import httpx

    # No proxies: the other node is on this network or named outright. No redirects: it is there or
    # it is not.
    async with (
        httpx.AsyncClient(trust_env=False, timeout=TIMEOUT_S) as client,
        client.stream("GET", url) as response,
    ):
        if response.status_code != httpx.codes.OK:
            raise RemoteProtocolError(
                f"{url} answered {response.status_code}: there is no Headwater node"
            )
        body = bytearray()
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > MAX_ANSWER_BYTES:
                raise RemoteProtocolError(f"{url} answered more than {MAX_ANSWER_BYTES} bytes")
        return bytes(body)
