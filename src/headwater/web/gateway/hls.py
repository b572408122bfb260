"""`/v/{id}/hls/`: a video that browsers cannot take as it is, as HLS made on demand."""

from fastapi import APIRouter

__all__ = ["router"]

router = APIRouter(prefix="/v/{video}/hls", tags=["playback"])
