"""How a failure looks: `{"error": {"code", "message"}}`, with the status of its class."""

import logging

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from headwater.errors import Forbidden, LocalUsageError, NodeError, NotFound

__all__ = ["failure", "install", "refuse"]

log = logging.getLogger(__name__)


def failure(error: NodeError) -> JSONResponse:
    body = {"error": {"code": error.code, "message": str(error)}}
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return JSONResponse(body, error.http_status, headers)


async def refuse(reason: str, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer 403; a WebSocket is closed before it was accepted, which is the same thing there."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 4403, "reason": reason[:120]})
    else:
        await failure(Forbidden(reason))(scope, receive, send)


async def _known(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, NodeError)
    return failure(error)


async def _malformed(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return failure(LocalUsageError(f"{where}: {first['msg']}"))


async def _plain(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        return failure(NotFound(f"there is nothing at {request.url.path}"))
    body = {"error": {"code": "usage", "message": str(error.detail)}}
    return JSONResponse(body, error.status_code, error.headers)


async def _unexpected(request: Request, error: Exception) -> JSONResponse:
    log.error("web.unexpected", extra={"path": request.url.path}, exc_info=error)
    return failure(NodeError("something went wrong in this node: its log says what"))


def install(app: FastAPI) -> None:
    app.add_exception_handler(NodeError, _known)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(HTTPException, _plain)
    app.add_exception_handler(Exception, _unexpected)
