"""The lab's own page: who feeds whom, what each node says, and buttons for what can go wrong."""

import socket
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI
from fastapi.responses import HTMLResponse, PlainTextResponse

from headwater.lab.people import People
from headwater.web.access import Access, Rules
from headwater.web.failures import install
from headwater.web.server import Server

__all__ = ["LabPage"]

_HTML = Path(__file__).with_name("page.html")


class LabPage:
    """Served on this machine only, at a port that the system chooses."""

    def __init__(self, people: People) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._app = _app(people)

    @property
    def address(self) -> str:
        host, port = self._socket.getsockname()[:2]
        return f"http://{host}:{port}"

    async def run(self) -> None:
        """Until cancelled."""
        config = uvicorn.Config(self._app, lifespan="off", log_config=None, access_log=False)
        server = Server(config)
        try:
            await server.serve([self._socket])
        finally:
            self._socket.close()


def _app(people: People) -> FastAPI:
    app = FastAPI(title="Headwater lab", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(Access, rules=Rules(lan=False, token=""))
    install(app)

    @app.get("/")
    async def page() -> HTMLResponse:
        return HTMLResponse(_HTML.read_text("utf-8"))

    @app.get("/api/lab")
    async def state() -> dict[str, Any]:
        return await people.tell()

    @app.get("/api/lab/{name}/log")
    async def log(name: str) -> PlainTextResponse:
        return PlainTextResponse(people.log(name))

    @app.post("/api/lab/{name}/{action}", status_code=204)
    async def act(name: str, action: str) -> None:
        await people.act(name, action)

    return app
