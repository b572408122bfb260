"""The running node as the commands see it: its HTTP API, found through its state folder."""

import http.client
import json
import urllib.parse
from pathlib import Path
from typing import Any, Self

from headwater import errors
from headwater.errors import Conflict, NodeError, NotFound, Unavailable

__all__ = ["Api", "kind_of"]

TIMEOUT_S = 30.0
_BY_CODE = {
    kind.code: kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, NodeError)
}
_BY_STATUS = {kind.http_status: kind for kind in (Unavailable, NotFound)}
"""For codes of a part of the node that commands do not load: a link that closed is Unavailable."""


class Api:
    """One node's API, a request a call. Its errors come back as the class that it raised."""

    def __init__(self, page: str, token: str = "") -> None:
        self.page = page.rstrip("/")
        self._token = token

    @property
    def owner_page(self) -> str:
        """The page with the owner's token: who opens it may change things."""
        return f"{self.page}/#token={self._token}"

    @classmethod
    def of_state(cls, state: Path) -> Self:
        """The node that runs with this state. Raises: Unavailable when none does."""
        try:
            runtime = json.loads((state / "runtime.json").read_bytes())
            return cls(runtime["http"], runtime["token"])
        except (FileNotFoundError, NotADirectoryError) as error:
            raise Unavailable(
                f"no node runs here (state {state}): start one with `headwater up`"
            ) from error
        except PermissionError as error:
            message = f"the node with state {state} belongs to somebody else: ask as that user"
            raise errors.Forbidden(message) from error
        except (ValueError, KeyError, TypeError) as error:
            raise Conflict(f"{state / 'runtime.json'} is damaged: restart the node") from error

    def get(self, path: str, **query: object) -> Any:
        text = urllib.parse.urlencode(
            {name: value for name, value in query.items() if value is not None}
        )
        return self._ask("GET", f"{path}?{text}" if text else path, None)

    def post(self, path: str, body: object = None) -> Any:
        return self._ask("POST", path, body)

    def put(self, path: str, body: object = None) -> Any:
        return self._ask("PUT", path, body)

    def delete(self, path: str, body: object = None) -> Any:
        return self._ask("DELETE", path, body)

    def _ask(self, method: str, path: str, body: object) -> Any:
        """Raises: the node's own NodeError; Unavailable when it does not answer."""
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        payload = None
        if body is not None:
            payload, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
        connection = http.client.HTTPConnection(
            urllib.parse.urlsplit(self.page).netloc, timeout=TIMEOUT_S
        )
        try:
            connection.request(method, path, payload, headers)
            response = connection.getresponse()
            text = response.read()
        except ConnectionRefusedError as error:
            raise Unavailable(
                "no node runs here any more: start one with `headwater up`"
            ) from error
        except (OSError, http.client.HTTPException) as error:
            raise Unavailable(
                f"the node at {self.page} does not answer ({error}): "
                "look at what `headwater up` says"
            ) from error
        finally:
            connection.close()
        return _parse(self.page, response.status, text)


def kind_of(code: str) -> type[NodeError]:
    """The class of errors that a node calls so."""
    return _BY_CODE.get(code, NodeError)


def _parse(page: str, status: int, text: bytes) -> Any:
    if status == http.HTTPStatus.NO_CONTENT:
        return None
    try:
        value = json.loads(text)
    except ValueError as error:
        raise Conflict(f"what answers at {page} is no Headwater node (status {status})") from error
    if status < http.HTTPStatus.BAD_REQUEST:
        return value
    try:
        code, message = value["error"]["code"], value["error"]["message"]
    except (KeyError, TypeError):
        code, message = "", f"{page} answered with status {status}"
    raise _BY_CODE.get(code, _BY_STATUS.get(status, NodeError))(message)
