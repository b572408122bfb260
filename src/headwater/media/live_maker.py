"""Turns what a source gives into parts, epoch by epoch. Runs in the child."""

import time
from collections.abc import Callable, Iterable

from headwater.media.live_copy import AacCopy, H264Copy, is_fit_sound, why_unfit
from headwater.media.live_encode import H264Encode, JpegEncode
from headwater.media.live_epoch import Epoch
from headwater.media.live_item import Item, Tracks
from headwater.media.live_lag import FILE_BEHIND_US, Lag
from headwater.media.live_options import IngestState
from headwater.media.live_pictures import Pictures
from headwater.media.live_pipe import Job, Said
from headwater.media.live_sound import AacEncode
from headwater.media.live_track import NewEpoch, SoundTrack, VideoTrack

__all__ = ["Maker"]


class Maker:
    """`say` gets parts and states. What was made so far is kept in mind over sources: `end_us`."""

    def __init__(self, job: Job, say: Callable[[Said], None]) -> None:
        self._job, self._say = job, say
        self.end_us = job.begin_us

    def run(self, tracks: Tracks, items: Iterable[Item]) -> None:
        """Until the source ends."""
        plan = _Plan(self._job, tracks)
        epoch = plan.epoch(self.end_us, self._say)
        self._say(IngestState("on", plan.describe()))
        try:
            for item in items:
                try:
                    epoch.take(item, now_us())
                except NewEpoch as why:
                    epoch.flush()
                    plan.revise(why, epoch.video)
                    epoch = plan.epoch(epoch.end_us, self._say)
                    told = "" if why.must_encode else f"{why}; "
                    self._say(IngestState("on", told + plan.describe()))
                    epoch.take(item, now_us())
                self.end_us = epoch.end_us
        finally:
            epoch.flush()
            self.end_us = epoch.end_us


def now_us() -> int:
    """Since 1970."""
    return time.time_ns() // 1000


class _Plan:
    """What is taken as it comes, and what is encoded."""

    def __init__(self, job: Job, tracks: Tracks) -> None:
        self._job, self._tracks = job, tracks
        self._has_video, self._has_sound = tracks.has_video, tracks.has_audio
        self._header = b""
        if tracks.video is not None:
            self._header = tracks.video.codec_context.extradata or b""
        self._why_encode = self._unfit()
        self._copies_sound = tracks.audio is not None and is_fit_sound(tracks.audio)
        self._primer: H264Copy | None = None

    def describe(self) -> str:
        if not self._has_video:
            return "on air, sound only"
        sound = "" if self._has_sound else ", no sound"
        if not self._why_encode:
            return f"on air, the picture is passed on as it comes{sound}"
        return f"on air, encoding ({self._why_encode}){sound}"

    def _unfit(self) -> str:
        """Why the picture must be encoded; "" when it need not be."""
        job, video = self._job, self._tracks.video
        if job.bitrate_bps or job.height or job.fps or job.codec != "h264":
            return "as asked for"
        if video is None:
            return "the source is not encoded"
        return why_unfit(video, self._header) or self._tracks.unfit

    def revise(self, why: NewEpoch, video: VideoTrack | None) -> None:
        self._header = why.header or self._header
        self._has_video = why.has_picture and self._tracks.has_video
        self._primer = None
        if why.must_encode:
            self._why_encode = str(why)
            self._primer = video if isinstance(video, H264Copy) else None

    def epoch(self, begin_us: int, say: Callable[[Said], None]) -> Epoch:
        return Epoch(
            self._job,
            self._video(),
            self._sound(),
            begin_us=begin_us,
            frame_us=self._frame_us,
            lag=Lag(FILE_BEHIND_US) if self._tracks.is_recording else Lag(),
            emit=say,
        )

    @property
    def _frame_us(self) -> int:
        return max(self._tracks.frame_us, 1_000_000 // self._job.fps if self._job.fps else 0)

    def _video(self) -> VideoTrack | None:
        if not self._has_video:
            return None
        if not self._why_encode:
            return H264Copy(self._header)
        job, is_jpeg = self._job, self._job.codec == "mjpeg"
        pictures = Pictures(
            self._tracks.video, job.height, job.fps, "yuvj420p" if is_jpeg else "yuv420p"
        )
        if self._primer is not None:
            pictures.prime(self._primer.since_key, self._primer.last_us)
        if is_jpeg:
            return JpegEncode(pictures)
        return H264Encode(
            pictures,
            bitrate_bps=job.bitrate_bps,
            gop_us=int(job.gop_s * 1_000_000),
            frame_us=self._frame_us,
        )

    def _sound(self) -> SoundTrack | None:
        if not self._has_sound or self._job.codec == "mjpeg":
            return None
        if self._copies_sound and self._tracks.audio is not None:
            return AacCopy(self._tracks.audio)
        return AacEncode(self._tracks.audio)
