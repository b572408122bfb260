"""The page: the files of web/static, and index.html for the page's own routes."""

from pathlib import Path

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

__all__ = ["PageFiles", "install"]

STATIC = Path(__file__).parent / "static"
NEVER_A_PAGE = ("api/", "v/", "assets/", ".well-known/", "metrics")

CSP = "; ".join(
    (
        "default-src 'self'",
        "img-src 'self' data: blob:",
        "media-src 'self' blob:",  # hls.js plays through a blob
        "worker-src 'self' blob:",
        "style-src 'self' 'unsafe-inline'",
        "connect-src 'self'",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
PAGE_HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


class PageFiles(StaticFiles):
    """Static files; what is none of them is the page itself, which knows its own routes."""

    async def check_config(self) -> None:
        """A checkout whose page was not built serves the rest all the same."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        try:
            response = await super().get_response(path, scope)
        except HTTPException as error:
            if error.status_code != 404 or path.startswith(NEVER_A_PAGE):
                raise
            response = self._page()
        response.headers.update(PAGE_HEADERS)
        is_named_by_content = path.startswith("assets/")
        keep = "public, max-age=31536000, immutable" if is_named_by_content else "no-cache"
        response.headers["Cache-Control"] = keep
        return response

    def _page(self) -> Response:
        index = Path(str(self.directory)) / "index.html"
        if index.is_file():
            return FileResponse(index)
        return PlainTextResponse(
            "This copy of Headwater was built without its page. The API is at /api/v1/, its "
            "description at /openapi.json. In a checkout, `make ui` builds the page.\n"
        )


def install(app: FastAPI) -> None:
    app.mount("/", PageFiles(directory=STATIC, html=True, check_dir=False), name="page")
