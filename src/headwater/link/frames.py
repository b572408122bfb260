"""Chunks of a stream, cut anywhere -> the frames in it. Pure."""

from headwater.wire.frames import HEADER_BYTES, frame_length

__all__ = ["FrameAssembler"]


class FrameAssembler:
    """Shape: holds less than one frame and one chunk more."""

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, chunk: bytes) -> list[bytes]:
        """The bodies of the frames that are whole now. Raises: RemoteProtocolError when one is
        announced too long."""
        self._held += chunk
        bodies: list[bytes] = []
        start = 0
        while len(self._held) - start >= HEADER_BYTES:
            body = start + HEADER_BYTES
            end = body + frame_length(bytes(self._held[start:body]))
            if len(self._held) < end:
                break
            bodies.append(bytes(self._held[body:end]))
            start = end
        del self._held[:start]
        return bodies
