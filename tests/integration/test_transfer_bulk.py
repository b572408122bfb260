"""Bulk connections over real TLS: who may connect, and what is believed of what they send."""

import asyncio
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from store_samples import Sample, make_sample

from headwater.errors import ContentChanged, NodeError, NotFound, RemoteProtocolError, Unavailable
from headwater.link.tls import ServerIdentity
from headwater.node.config import StoreConfig
from headwater.store.shared_video import SharedVideo
from headwater.store.store import Store
from headwater.store.stored_video import StoredVideo
from headwater.transfer import bulk_server
from headwater.transfer.bulk_client import BulkClient
from headwater.transfer.bulk_server import BulkServer
from headwater.transfer.limits import RateLimit
from headwater.transfer.traffic import Traffic
from headwater.wire import frames
from headwater.wire.ids import NodeId
from headwater.wire.messages import BlocksReply, BulkReply, GetBlocks, GetInfo

ANNA = NodeId(b"a" * 32)
SAMPLE = make_sample(1_000_000)


@contextmanager
def _serving(folder: Path, sample: Sample = SAMPLE) -> Iterator[BulkServer]:
    store = Store(folder / "server", StoreConfig())
    path = folder / "holiday.mp4"
    path.write_bytes(sample.payload)
    store.adopt(sample.torrent, sample.leaves, path, owned=False)
    server = BulkServer(store, RateLimit(0), Traffic(), "127.0.0.1", time.monotonic)
    server.start()
    try:
        yield server
    finally:
        server.close()
        store.close()


@contextmanager
def _receiving(folder: Path, sample: Sample = SAMPLE) -> Iterator[StoredVideo]:
    store = Store(folder / "client", StoreConfig())
    stored = store.begin(sample.torrent.video, sample.shape, sample.torrent.pieces_root)
    stored.attach(sample.torrent)
    try:
        yield stored
    finally:
        store.close()


def _client(
    server: BulkServer, *, token: bytes | None = None, certificate: bytes | None = None
) -> BulkClient:
    address = f"127.0.0.1:{server.port}"
    token = token or server.issue(ANNA)
    shown = server.certificate if certificate is None else certificate
    offer = BulkReply((address,), shown, token)
    return BulkClient(offer, [address])


def _ask(first: int, count: int) -> GetBlocks:
    return GetBlocks(SAMPLE.torrent.video, first, count, layer_known=True)


def test_blocks_arrive_proven_and_written(tmp_path: Path) -> None:
    async def run() -> None:
        with _serving(tmp_path) as server, _receiving(tmp_path) as stored:
            client = _client(server)
            blocks = SAMPLE.shape.blocks
            asks = [_ask(at, min(7, blocks - at)) for at in range(0, blocks, 7)]
            await asyncio.gather(*(client.fetch(stored, ask) for ask in asks))
            assert stored.is_whole and stored.read(0, blocks) == SAMPLE.payload
            client.close()

    asyncio.run(run())


def test_an_answer_is_read_and_sent_a_step_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_server, "_STEP_BLOCKS", 4)

    async def run() -> None:
        with _serving(tmp_path) as server, _receiving(tmp_path) as stored:
            client = _client(server)
            await client.fetch(stored, _ask(0, 30))  # steps, and a rest
            await client.fetch(stored, _ask(30, SAMPLE.shape.blocks - 30))
            assert stored.read(0, SAMPLE.shape.blocks) == SAMPLE.payload
            client.close()

    asyncio.run(run())


def test_a_file_that_changes_while_it_is_sent_ends_the_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_server, "_STEP_BLOCKS", 4)
    read_into = SharedVideo.read_into

    def change_and_read(self: SharedVideo, first: int, count: int, buffer: memoryview) -> int:
        if first >= 8:
            self.path.write_bytes(b"another film")
        return read_into(self, first, count, buffer)

    monkeypatch.setattr(SharedVideo, "read_into", change_and_read)

    async def run() -> None:
        with _serving(tmp_path) as server, _receiving(tmp_path) as stored:
            with pytest.raises(Unavailable):
                await _client(server).fetch(stored, _ask(0, 30))
            assert stored.have_blocks == 0
            with pytest.raises(ContentChanged):
                await _client(server).fetch(stored, _ask(0, 30))

    asyncio.run(run())


def test_without_a_token_nothing_is_served(tmp_path: Path) -> None:
    async def run() -> None:
        with _serving(tmp_path) as server, _receiving(tmp_path) as stored:
            with pytest.raises(Unavailable):
                await _client(server, token=b"x" * 32).fetch(stored, _ask(0, 4))
            assert stored.have_blocks == 0

    asyncio.run(run())


def test_another_certificate_is_not_spoken_to(tmp_path: Path) -> None:
    async def run() -> None:
        with _serving(tmp_path) as server, _receiving(tmp_path) as stored:
            other = ServerIdentity().certificate
            with pytest.raises(NodeError):
                await _client(server, certificate=other).fetch(stored, _ask(0, 4))
            assert stored.have_blocks == 0

    asyncio.run(run())


@pytest.mark.parametrize("certificate", [b"", b"no certificate"])
def test_what_is_no_certificate_is_refused(tmp_path: Path, certificate: bytes) -> None:
    with _serving(tmp_path) as server, pytest.raises(RemoteProtocolError):
        _client(server, certificate=certificate)


def test_a_link_that_ends_takes_its_bulk_with_it(tmp_path: Path) -> None:
    async def run() -> None:
        with _serving(tmp_path) as server, _receiving(tmp_path) as stored:
            client = _client(server)
            await client.fetch(stored, _ask(0, 4))
            server.revoke(ANNA)
            with pytest.raises(Unavailable):
                await client.fetch(stored, _ask(4, 4))
            assert client.is_closed

    asyncio.run(run())


def test_blocks_that_are_not_there_are_refused_and_the_connection_goes_on(tmp_path: Path) -> None:
    async def run() -> None:
        with _serving(tmp_path) as server, _receiving(tmp_path) as stored:
            client = _client(server)
            with pytest.raises(NotFound):
                unknown = GetBlocks(b"?" * 32, 0, 4, layer_known=True)
                await client.fetch(stored, unknown)
            await client.fetch(stored, _ask(0, 4))
            assert stored.has(0, 4)
            client.close()

    asyncio.run(run())


def test_closing_ends_whoever_waits(tmp_path: Path) -> None:
    async def run() -> None:
        with _receiving(tmp_path) as stored, socket.create_server(("127.0.0.1", 0)) as mute:
            address = f"127.0.0.1:{mute.getsockname()[1]}"
            certificate = ServerIdentity().certificate
            client = BulkClient(BulkReply((address,), certificate, b"t" * 32), [address])
            async with asyncio.TaskGroup() as group:
                waiting = group.create_task(_fails(client, stored))
                client.close()
            assert isinstance(waiting.result(), Unavailable)

    asyncio.run(run())


async def _fails(client: BulkClient, stored: StoredVideo) -> NodeError | None:
    try:
        await client.fetch(stored, _ask(0, 4))
    except NodeError as error:
        return error
    return None


def _liar(context: ssl.SSLContext, listener: socket.socket, reply: bytes) -> None:
    """Answers every request with the same bytes."""
    sock, _ = listener.accept()
    with context.wrap_socket(sock, server_side=True) as connection:
        connection.settimeout(5)
        try:
            while connection.recv(65536):
                connection.sendall(reply)
        except OSError:
            return


@pytest.mark.parametrize(
    "reply",
    [
        frames.encode(BlocksReply(4 * 16384)) + bytes(4 * 16384),
        frames.encode(BlocksReply(5)) + b"hello",
        b"\xff\xff\xff\xff",
        frames.encode(GetInfo(bytes(32))),
    ],
    ids=["false blocks", "another size", "endless frame", "no reply"],
)
def test_false_answers_are_told_and_never_written(tmp_path: Path, reply: bytes) -> None:
    async def run() -> None:
        with _serving(tmp_path) as server, _receiving(tmp_path) as stored:
            with socket.create_server(("127.0.0.1", 0)) as listener:
                context = server._identity.context
                liar = threading.Thread(target=_liar, args=(context, listener, reply))
                liar.start()
                address = f"127.0.0.1:{listener.getsockname()[1]}"
                offer = BulkReply((address,), server.certificate, b"t" * 32)
                with pytest.raises(RemoteProtocolError):
                    await BulkClient(offer, [address]).fetch(stored, _ask(0, 4))
                await asyncio.to_thread(liar.join)
            assert stored.have_blocks == 0

    asyncio.run(run())


def test_as_many_tokens_as_the_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk_server, "MAX_TOKENS", 2)

    async def run() -> None:
        with _serving(tmp_path) as server, _receiving(tmp_path) as stored:
            first, _, third = (server.issue(ANNA) for _ in range(3))
            with pytest.raises(Unavailable):
                await _client(server, token=first).fetch(stored, _ask(0, 1))
            client = _client(server, token=third)
            await client.fetch(stored, _ask(0, 1))
            client.close()

    asyncio.run(run())


def test_as_many_connections_as_the_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk_server, "MAX_CONNECTIONS", 1)

    async def run() -> None:
        with _serving(tmp_path) as server, _receiving(tmp_path) as stored:
            client, other = _client(server), _client(server)
            await client.fetch(stored, _ask(0, 1))
            with pytest.raises(Unavailable):
                await other.fetch(stored, _ask(1, 1))
            await client.fetch(stored, _ask(2, 1))
            client.close()

    asyncio.run(run())
