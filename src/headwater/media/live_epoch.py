"""From one init to the next: two tracks become parts, in step and without holes."""

from collections import deque
from collections.abc import Callable

from headwater.media.live_cutter import Cut, Cutter, OneByOne
from headwater.media.live_init import init, media_type
from headwater.media.live_item import Item
from headwater.media.live_lag import Lag
from headwater.media.live_options import MadePart
from headwater.media.live_pipe import Job
from headwater.media.live_track import NewEpoch, Picture, Sound, SoundTrack, VideoTrack

__all__ = ["JPEG_INIT", "Epoch"]

JPEG_INIT = b"headwater jpeg\n"
"""An init must hold something; whoever shows JPEG pictures needs none of it."""
MAX_JUMP_US = 2_000_000
MAX_BACK_US = 400_000
"""Times of pictures go back a little where they are not stored in the order they are shown."""
MAX_SILENT_US = 1_000_000
"""Sound that is missing for longer is replaced by silence, without which players would wait."""
MAX_BLIND_US = 3_000_000
"""Sound alone for so long: there is no picture."""
_SLACK_US = 100_000


class Epoch:
    """`begin_us`: when it begins, by the live's time. `emit` gets what was made."""

    def __init__(
        self,
        job: Job,
        video: VideoTrack | None,
        sound: SoundTrack | None,
        *,
        begin_us: int,
        frame_us: int,
        lag: Lag,
        emit: Callable[[MadePart], None],
    ) -> None:
        self._job, self._video, self._sound = job, video, sound
        self._begin_us, self._frame_us = begin_us, frame_us
        self._lag, self._emit = lag, emit
        self._source_us = 0
        self._cutter: Cutter | OneByOne | None = None
        self._early: deque[Item] = deque()
        self._last_us: int | None = None
        self._is_silent = False

    @property
    def end_us(self) -> int:
        """Where the next epoch begins."""
        return self._cutter.end_us if self._cutter else self._begin_us

    @property
    def video(self) -> VideoTrack | None:
        return self._video

    def take(self, item: Item, now_us: int) -> None:
        """Raises: NewEpoch; then the item belongs to the next one."""
        if item.is_video:
            self._take_video(item, now_us)
        elif self._sound is not None:
            self._take_sound(item, now_us)

    def flush(self) -> None:
        if self._cutter is not None:
            self._hand_over(self._cutter.flush())

    def _take_video(self, item: Item, now_us: int) -> None:
        if self._video is None:
            raise NewEpoch("now there is a picture")
        if item.piece is not None:
            self._check_clock(item.order_us)
            self._lag.saw(item.order_us, now_us, was_due=item.was_due)
        for picture in self._video.take(item, is_behind=self._lag.is_behind):
            self._add(picture)

    def _check_clock(self, at_us: int) -> None:
        if self._last_us is not None:
            step_us = at_us - self._last_us
            if step_us > MAX_JUMP_US or step_us < -MAX_BACK_US:
                how = f"{abs(step_us) / 1e6:.1f} s {'forward' if step_us > 0 else 'back'}"
                raise NewEpoch(f"the source's clock has jumped {how}")
        self._last_us = at_us

    def _add(self, picture: Picture) -> None:
        if self._cutter is None:
            self._cutter = self._start(picture.at_us)
        live_us = self._live_us(picture.at_us)
        capture_us = self._lag.capture_us(picture.at_us)
        cuts = self._cutter.picture(
            live_us,
            picture.payload,
            is_key=picture.is_key,
            capture_us=capture_us,
            length_us=self._frame_us,
        )
        self._hand_over(cuts)
        if self._sound is not None:
            silent_us = _SLACK_US if self._is_silent else MAX_SILENT_US
            for sound in self._sound.fill(live_us - silent_us):
                self._is_silent = True
                self._add_sound(sound)

    def _take_sound(self, item: Item, now_us: int) -> None:
        assert self._sound is not None
        if self._video is None and item.piece is not None:
            self._check_clock(item.order_us)
            self._lag.saw(item.order_us, now_us, was_due=item.was_due)
            if self._cutter is None:
                self._cutter = self._start(item.at_us)
        if self._cutter is None:
            self._early.append(item)
            if item.at_us - self._early[0].at_us > MAX_BLIND_US:
                raise NewEpoch("the source sends no picture", has_picture=False)
            return
        ahead_us = self._live_us(item.at_us) - self._cutter.end_us
        if item.piece is not None and not -MAX_JUMP_US < ahead_us < 2 * MAX_JUMP_US:
            return  # by another clock than the picture's
        for sound in self._sound.take(item):
            self._is_silent = False
            self._add_sound(sound)

    def _add_sound(self, sound: Sound) -> None:
        assert self._cutter is not None and self._sound is not None
        at_us = sound.at * 1_000_000 // self._sound.header.rate
        capture_us = self._lag.capture_us(at_us - self._begin_us + self._source_us)
        self._hand_over(self._cutter.sound(sound.at, sound.payload, capture_us=capture_us))

    def _start(self, source_us: int) -> Cutter | OneByOne:
        self._source_us = source_us
        video = self._video.header if self._video else None
        sound = self._sound.header if self._sound else None
        is_jpeg = self._job.codec == "mjpeg"
        self._emit(
            MadePart(
                is_init=True,
                is_key=False,
                pts_us=self._begin_us,
                duration_us=0,
                capture_us=self._lag.capture_us(source_us),
                payload=JPEG_INIT if is_jpeg else init(video, sound),
                media_type="image/jpeg" if is_jpeg else media_type(video, sound),
                width=video.width if video else 0,
                height=video.height if video else 0,
            )
        )
        if is_jpeg:
            return OneByOne(self._begin_us)
        cutter = self._cutter = Cutter(
            begin_us=self._begin_us,
            part_us=self._job.part_ms * 1000,
            gop_us=int(self._job.gop_s * 1_000_000),
            has_video=video is not None,
            audio_rate=sound.rate if sound else 0,
        )
        if self._sound is not None:
            self._sound.start(source_us, self._begin_us)
            while self._early:
                self._take_sound(self._early.popleft(), 0)
        return cutter

    def _live_us(self, source_us: int) -> int:
        return source_us - self._source_us + self._begin_us

    def _hand_over(self, cuts: list[Cut]) -> None:
        for cut in cuts:
            self._emit(
                MadePart(
                    is_init=False,
                    is_key=cut.is_key,
                    pts_us=cut.pts_us,
                    duration_us=cut.duration_us,
                    capture_us=cut.capture_us,
                    payload=cut.payload,
                )
            )
