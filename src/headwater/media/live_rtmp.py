"""One encoder that publishes to us by RTMP: bytes in, bytes out. Pure.

Source: Adobe's RTMP specification 1.0, and what OBS and FFmpeg send. After the handshake it says
connect (to which app), createStream, publish (with the key), and then sound and pictures, which
become tags of an FLV file: that is what they are.
"""

import hmac
import struct

from headwater.errors import RemoteProtocolError
from headwater.media import live_amf as amf
from headwater.media.live_rtmp_chunks import MAX_MESSAGE_BYTES, ChunkReader, Message, write_message

__all__ = ["Publisher"]

_HANDSHAKE_BYTES = 1536
_STRANGER_BYTES = 64 * 1024
"""A message of somebody who has not named the key."""
_ACK, _CONTROL, _WINDOW, _BANDWIDTH = 3, 4, 5, 6
_AUDIO, _VIDEO, _DATA3, _COMMAND3, _DATA, _COMMAND = 8, 9, 15, 17, 18, 20
_PING, _PONG = 6, 7
_WINDOW_BYTES = 2_500_000
_COMMANDS_ON, _STATUS_ON, _CONTROL_ON = 3, 5, 2


class Publisher:
    """`out` is to be sent and cleared by the caller, `flv` to be taken likewise.

    Shape: `flv` grows with what comes in, so nothing more is fed while it is not taken."""

    def __init__(self, app: str, key: str) -> None:
        self._app, self._key = app, key
        self.out, self.flv = bytearray(), bytearray()
        self._hello = bytearray()
        self._is_greeted = False
        self._chunks = ChunkReader(_STRANGER_BYTES)
        self._received = self._acknowledged = 0
        self._has_header = False
        self.is_publishing = False
        self.is_over = False
        """It is to be disconnected once `out` is sent."""
        self.refusal = ""
        """Why, in plain words, when it was refused."""

    def feed(self, raw: bytes) -> None:
        """Raises: RemoteProtocolError when it is no encoder, or a broken one."""
        self._received += len(raw)
        if self._received - self._acknowledged >= _WINDOW_BYTES:
            self._acknowledged = self._received
            self._send(_CONTROL_ON, _ACK, struct.pack(">I", self._received % 2**32))
        raw = self._greeted(raw)
        for message in self._chunks.feed(raw) if raw else ():
            if self.is_over:
                return
            self._handle(message)

    def _greeted(self, raw: bytes) -> bytes:
        """What follows the handshake."""
        if self._is_greeted:
            return raw
        before = len(self._hello)
        self._hello += raw
        if self._hello and self._hello[0] != 3:
            raise RemoteProtocolError("that is not RTMP")
        first = 1 + _HANDSHAKE_BYTES
        if before < first <= len(self._hello):
            self.out += b"\3" + bytes(_HANDSHAKE_BYTES) + self._hello[1:first]
        if len(self._hello) < first + _HANDSHAKE_BYTES:
            return b""
        self._is_greeted = True
        rest = bytes(self._hello[first + _HANDSHAKE_BYTES :])
        self._hello.clear()
        return rest

    def _handle(self, message: Message) -> None:
        kind, payload = message.kind, message.payload
        if kind in (_COMMAND, _COMMAND3):
            self._command(amf.decode(payload[kind == _COMMAND3 :]))
        elif kind in (_AUDIO, _VIDEO) and self.is_publishing:
            self._write_header({})
            self._write_tag(kind, message.time_ms, payload)
        elif kind in (_DATA, _DATA3) and self.is_publishing:
            self._metadata(amf.decode(payload[kind == _DATA3 :]))
        elif kind == _CONTROL and payload[:2] == bytes((0, _PING)):
            self._send(_CONTROL_ON, _CONTROL, bytes((0, _PONG)) + payload[2:6])

    def _command(self, values: list[amf.Value]) -> None:
        name, number = values[0] if values else None, values[1] if len(values) > 1 else 0
        if name == "connect":
            self._connect(number, values[2] if len(values) > 2 else None)
        elif name == "createStream":
            self._say("_result", number, None, 1)
        elif name == "publish":
            self._publish(values[3] if len(values) > 3 else None)
        elif name in ("deleteStream", "FCUnpublish", "closeStream") and self.is_publishing:
            self.is_over = True
        elif name == "play":
            self._refuse("NetStream.Play.StreamNotFound", "wanted to play, but this only receives")

    def _connect(self, number: amf.Value, told: amf.Value) -> None:
        app = told.get("app") if isinstance(told, dict) else None
        named = app.partition("?")[0].strip("/") if isinstance(app, str) else ""
        if named != self._app:
            self.refusal, self.is_over = f"named {named!r} instead of {self._app!r}", True
            self._say("_error", number, None, _status("error", "NetConnection.Connect.Rejected"))
            return
        self._send(_CONTROL_ON, _WINDOW, struct.pack(">I", _WINDOW_BYTES))
        self._send(_CONTROL_ON, _BANDWIDTH, struct.pack(">IB", _WINDOW_BYTES, 2))
        server: amf.Value = {"fmsVer": "FMS/3,0,1,123", "capabilities": 31.0}
        status = _status("status", "NetConnection.Connect.Success")
        self._say("_result", number, server, status | {"objectEncoding": 0.0})

    def _publish(self, named: amf.Value) -> None:
        key = named.partition("?")[0] if isinstance(named, str) else ""
        if not hmac.compare_digest(key.encode(), self._key.encode()):
            self._refuse("NetStream.Publish.BadName", "named a wrong key")
            return
        self.is_publishing = True
        self._chunks.max_bytes = MAX_MESSAGE_BYTES
        self._status("status", "NetStream.Publish.Start")

    def _refuse(self, code: str, why: str) -> None:
        self.refusal, self.is_over = why, True
        self._status("error", code)

    def _metadata(self, values: list[amf.Value]) -> None:
        """It tells whether there will be sound and pictures, which saves waiting for them."""
        fields = next((value for value in values if isinstance(value, dict)), None)
        if fields is not None:
            self._write_header(fields)

    def _write_header(self, told: dict[str, amf.Value]) -> None:
        if self._has_header:
            return
        self._has_header = True
        has_audio, has_video = "audiocodecid" in told, "videocodecid" in told or "width" in told
        if not has_audio and not has_video:
            has_audio = has_video = True
        self.flv += b"FLV\1" + bytes((4 * has_audio + has_video,)) + struct.pack(">II", 9, 0)

    def _write_tag(self, kind: int, time_ms: int, payload: bytes) -> None:
        size = len(payload)
        time = (time_ms & 0xFFFFFF) << 8 | time_ms >> 24 & 0xFF
        self.flv += struct.pack(">II3x", kind << 24 | size, time) + payload
        self.flv += struct.pack(">I", 11 + size)

    def _status(self, level: str, code: str) -> None:
        self._send(_STATUS_ON, _COMMAND, amf.encode("onStatus", 0, None, _status(level, code)), 1)

    def _say(self, *values: amf.Value) -> None:
        self._send(_COMMANDS_ON, _COMMAND, amf.encode(*values))

    def _send(self, channel: int, kind: int, payload: bytes, of_stream: int = 0) -> None:
        self.out += write_message(channel, kind, payload, of_stream=of_stream)


def _status(level: str, code: str) -> dict[str, amf.Value]:
    return {"level": level, "code": code, "description": code}
