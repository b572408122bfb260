"""A minute of moving picture and its storyboard for the page's mock node.

Usage: python sample.py FOLDER (needs PyAV)"""

import sys
from fractions import Fraction
from pathlib import Path

import av

SECONDS, RATE, WIDTH, HEIGHT = 60, 25, 640, 360


def pictures(filters: str):
    """What a chain of FFmpeg filters makes of its own source, picture by picture."""
    with av.open(filters, format="lavfi") as source:
        yield from source.decode(video=0)


def encode(path: Path, container: str, codec: str, frames, pixels: str, **options: str) -> None:
    with av.open(str(path), "w", format=container, options={"movflags": "faststart"}) as out:
        stream = out.add_stream(codec, rate=RATE, options=options)
        stream.pix_fmt, stream.time_base = pixels, Fraction(1, RATE)
        for n, frame in enumerate(frames):
            if n == 0:
                stream.width, stream.height = frame.width, frame.height
            frame = frame.reformat(format=pixels)
            frame.pts, frame.time_base = n, Fraction(1, RATE)
            out.mux(stream.encode(frame))
        out.mux(stream.encode())


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    source = f"gradients=size={WIDTH}x{HEIGHT}:rate={RATE}:duration={SECONDS}"
    source += ":speed=0.02:nb_colors=5:seed=7"
    film, fast = pictures(source), {"preset": "veryfast", "crf": "24"}
    encode(folder / "sample.mp4", "mp4", "libx264", film, "yuv420p", **fast)
    board = f"{source},fps=1,scale=160:90,tile=10x6"
    encode(folder / "board.jpg", "mjpeg", "mjpeg", pictures(board), "yuvj420p")


main(Path(sys.argv[1]))
