"""The first exchange on a link: who are you, and are you of this mesh? Nothing else is said before
it.

The dialling side opens the control stream and says hello; the accepting side checks, then answers
with its own hello or with a goodbye. Records are signed by the key that authenticated the link, or
the link ends.
"""

import asyncio
import hashlib
import hmac
from dataclasses import dataclass

from headwater.errors import NodeError, RemoteProtocolError, Unavailable
from headwater.link.port import Link, LinkClosed, Stream
from headwater.wire.frames import HEADER_BYTES, decode, encode, frame_length
from headwater.wire.ids import NodeId
from headwater.wire.items import NodeRecord, Signed, open_item
from headwater.wire.messages import Goodbye, Hello, control_decoder

__all__ = [
    "HELLO_TIMEOUT_S",
    "Introduced",
    "Refused",
    "WrongMesh",
    "answer",
    "farewell",
    "introduce",
    "listen",
    "proof",
]

HELLO_TIMEOUT_S = 5.0
FAREWELL_TIMEOUT_S = 1.0
CONTROL_PRIORITY = 1000
"""Above whatever a transfer may use: pings and haves are small and never wait for bulk."""
MAX_HELLO_BYTES = 32 * 1024


class Refused(Unavailable):
    """The other node said goodbye instead of hello."""

    def __init__(self, goodbye: Goodbye) -> None:
        super().__init__(f"the other node refused the link: {goodbye.reason}")
        self.goodbye, self.retry = goodbye, goodbye.retry


class WrongMesh(NodeError):
    """The other node does not know this mesh's secret, or knows one where we have none."""

    code = "wrong_mesh"


@dataclass(frozen=True, slots=True)
class Introduced:
    """A link whose other side has said who it is; `stream` is its control stream."""

    link: Link
    stream: Stream
    signed: Signed
    record: NodeRecord


def proof(secret: str, dialler: NodeId, acceptor: NodeId, role: bytes) -> bytes:
    """Shows knowledge of the mesh secret on this link only; `role` (b"d", b"a") keeps one side from
    echoing the other.

    Empty in an open mesh."""
    if not secret:
        return b""
    return hmac.digest(secret.encode(), dialler + acceptor + role, hashlib.sha256)


async def introduce(link: Link, own: NodeId, hello: Signed, secret: str) -> Introduced:
    """The dialling side, both steps. Raises: Refused, WrongMesh, LinkClosed, RemoteProtocolError,
    TimeoutError."""
    async with asyncio.timeout(HELLO_TIMEOUT_S):
        stream = await link.open_stream(priority=CONTROL_PRIORITY)
        await stream.write(encode(Hello(hello, proof(secret, own, link.peer, b"d"))))
        return _checked(link, stream, await _hello(stream), proof(secret, own, link.peer, b"a"))


async def listen(link: Link, own: NodeId, secret: str) -> Introduced:
    """The accepting side's first step. Raises: WrongMesh (told to the other), LinkClosed,
    RemoteProtocolError, TimeoutError."""
    async with asyncio.timeout(HELLO_TIMEOUT_S):
        stream = await link.accept_stream()
        stream.set_priority(CONTROL_PRIORITY)
        hello = await _hello(stream)
    try:
        return _checked(link, stream, hello, proof(secret, link.peer, own, b"d"))
    except WrongMesh as error:
        await farewell(link, stream, Goodbye(str(error), retry=False))
        raise


async def answer(to: Introduced, own: NodeId, hello: Signed, secret: str) -> None:
    """The accepting side's second step: the other is welcome. Raises: LinkClosed, TimeoutError."""
    async with asyncio.timeout(HELLO_TIMEOUT_S):
        await to.stream.write(encode(Hello(hello, proof(secret, to.link.peer, own, b"a"))))


async def farewell(link: Link, stream: Stream, goodbye: Goodbye) -> None:
    """Say why, give the other a moment to read it, close. Never raises."""
    try:
        async with asyncio.timeout(FAREWELL_TIMEOUT_S):
            await stream.write(encode(goodbye))
            await stream.finish()
            await (
                link.wait_closed()
            )  # the other closes when it has read it; closing first would drop it
    except (LinkClosed, TimeoutError):
        pass
    finally:
        link.close(goodbye.reason)


async def _hello(stream: Stream) -> Hello:
    size = frame_length(await stream.read_exact(HEADER_BYTES))
    if size > MAX_HELLO_BYTES:
        raise RemoteProtocolError(
            f"a hello of {size} bytes was announced, the limit is {MAX_HELLO_BYTES}"
        )
    message = decode(await stream.read_exact(size), control_decoder)
    if isinstance(message, Goodbye):
        raise Refused(message)
    if not isinstance(message, Hello):
        raise RemoteProtocolError(f"a link starts with hello, not with {type(message).__name__}")
    return message


def _checked(link: Link, stream: Stream, hello: Hello, expected: bytes) -> Introduced:
    # The secret first: a stranger's record is not even looked at.
    if not hmac.compare_digest(hello.proof, expected):
        raise WrongMesh(
            "this mesh is closed, or yours is: an invitation from one of its nodes is needed"
        )
    item = open_item(hello.record)
    if item.author != link.peer or not isinstance(item.body, NodeRecord):
        raise RemoteProtocolError("a hello must carry the node record of the node that says it")
    return Introduced(link, stream, hello.record, item.body)
