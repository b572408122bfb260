"""One Config out of file < page < environment < flags; everything that is wrong is told at once.

A setting's key is its way through the dataclasses of `node/config.py`: `name`, `link.max_peers`.
In the file that is a table and a name, in the environment HEADWATER_LINK_MAX_PEERS; some have a
flag. What was set on the page lies in the state folder (`node/settings.py`).
"""

import dataclasses
import os
import tomllib
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from headwater.cli.units import parse_size
from headwater.errors import LocalUsageError
from headwater.node.config import MAX_NAME, Config, is_name
from headwater.node.settings import FILE_NAME, KEPT, read_kept

__all__ = ["Setting", "load", "settings"]

DERIVED = ("state", "web.http_is_default", "said_at_start")
"""Not settings: where everything else is, and what follows from who said what."""

_TRUE, _FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off")


@dataclass(frozen=True, slots=True)
class Setting:
    """One field of the configuration. `kind` is its type as the dataclass annotates it."""

    key: str
    kind: Any
    default: object

    @property
    def variable(self) -> str:
        return "HEADWATER_" + self.key.replace(".", "_").upper()


def settings(section: type = Config, prefix: str = "") -> Iterator[Setting]:
    """All of them, in the order of the dataclasses."""
    kinds = typing.get_type_hints(section)
    for each in dataclasses.fields(section):
        key = prefix + each.name
        if dataclasses.is_dataclass(kinds[each.name]):
            yield from settings(kinds[each.name], f"{key}.")
        elif key not in DERIVED:
            yield Setting(key, kinds[each.name], each.default)


@dataclass(slots=True)
class _Layers:
    """What was said so far: raw values by key, each with where it was said; later layers win."""

    known: Mapping[str, Setting]
    values: dict[str, tuple[object, str]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    said_at_start: dict[str, str] = field(default_factory=dict)

    def file(self, path: Path) -> None:
        try:
            self._table(tomllib.loads(path.read_text("utf-8")), "", path)
        except OSError as error:
            self.problems.append(f"the settings file {path} cannot be read: {error.strerror}")
        except ValueError as error:
            self.problems.append(f"the settings file {path} is not valid TOML: {error}")

    def _table(self, table: Mapping[str, object], prefix: str, path: Path) -> None:
        for name, value in table.items():
            key = prefix + name
            if isinstance(value, Mapping) and any(
                known.startswith(f"{key}.") for known in self.known
            ):
                self._table(value, f"{key}.", path)
            elif key == "state":
                self.problems.append(
                    f"state in {path}: say it with --state or HEADWATER_STATE instead"
                )
            elif key not in self.known:
                self.problems.append(f"{key} in {path} is no setting{_nearest(key, self.known)}")
            else:
                self.values[key] = (value, f"{key} in {path}")

    def page(self, state: Path) -> None:
        try:
            kept = read_kept(state)
        except LocalUsageError as error:
            self.problems.append(str(error))
            return
        for key in KEPT:
            if key in kept:
                self.values[key] = (kept[key], f"{key} in {state / FILE_NAME}")

    def environment(self, variables: Mapping[str, str]) -> None:
        for key, setting in self.known.items():
            if setting.variable in variables:
                self.values[key] = (variables[setting.variable], setting.variable)
                self.said_at_start[key] = setting.variable

    def flags(self, flags: Mapping[str, tuple[str, object]]) -> None:
        for key, (flag, value) in flags.items():
            if value not in (None, [], ()):
                self.values[key] = (value, flag)
                self.said_at_start[key] = flag

    def parsed(self) -> dict[str, Any]:
        result = {}
        for key, (raw, source) in self.values.items():
            try:
                result[key] = _parse(self.known[key], raw)
            except ValueError as error:
                self.problems.append(f"{source}: {error}")
        return result


def load(
    *,
    state: Path,
    file: Path | None,
    environment: Mapping[str, str],
    flags: Mapping[str, tuple[str, object]],
) -> Config:
    """The configuration. `flags`: by key, the flag's name and its value (None: not given).

    Raises: LocalUsageError with one line for each thing that is wrong."""
    layers = _Layers({setting.key: setting for setting in settings()})
    if file is not None:
        layers.file(file)
    layers.page(state)
    layers.environment(environment)
    layers.flags(flags)
    values = layers.parsed()
    if layers.problems:
        raise LocalUsageError("\n".join(layers.problems))
    values |= {
        "state": state,
        "web.http_is_default": "web.http" not in values,
        "said_at_start": layers.said_at_start,
    }
    config: Config = _build(Config, "", values)
    return config


def _build(section: Any, prefix: str, values: Mapping[str, Any]) -> Any:
    kinds = typing.get_type_hints(section)
    given = {}
    for each in dataclasses.fields(section):
        key = prefix + each.name
        if dataclasses.is_dataclass(kinds[each.name]):
            given[each.name] = _build(kinds[each.name], f"{key}.", values)
        elif key in values:
            given[each.name] = values[key]
    return section(**given)


def _parse(setting: Setting, raw: object) -> object:
    """The value in its type, within its bounds. Raises: ValueError, saying what it should be."""
    kind = setting.kind
    if typing.get_origin(kind) is typing.Literal:
        allowed = typing.get_args(kind)
        if raw not in allowed:
            raise ValueError(f"must be one of {', '.join(map(repr, allowed))}, not {raw!r}")
        return raw
    if typing.get_origin(kind) is tuple:
        item = typing.get_args(kind)[0]
        return tuple(
            _check(setting.key, _SCALARS[item](setting.key, each)) for each in _items(raw, item)
        )
    return _check(setting.key, _SCALARS[kind](setting.key, raw))


def _items(raw: object, item: type) -> list[object]:
    if isinstance(raw, str):
        return [part for part in raw.split(os.pathsep if item is Path else ",") if part.strip()]
    if isinstance(raw, list | tuple):
        return list(raw)
    raise ValueError(f"must be a list, not {raw!r}")


def _text(_key: str, raw: object) -> str:
    if isinstance(raw, str):
        return raw.strip()
    raise ValueError(f"must be text in quotes, not {raw!r}")


def _bool(_key: str, raw: object) -> bool:
    if isinstance(raw, bool):
        return raw
    if isinstance(raw, str) and raw.lower() in (*_TRUE, *_FALSE):
        return raw.lower() in _TRUE
    raise ValueError(f"must be true or false, not {raw!r}")


def _int(key: str, raw: object) -> int:
    if isinstance(raw, int) and not isinstance(raw, bool):
        return raw
    if isinstance(raw, str) and "bytes" in key:
        return parse_size(raw)
    if isinstance(raw, str) and raw.strip().lstrip("-").isdecimal():
        return int(raw)
    raise ValueError(f"must be a whole number, not {raw!r}")


def _float(_key: str, raw: object) -> float:
    if isinstance(raw, int | float | str) and not isinstance(raw, bool):
        try:
            return float(raw)
        except ValueError:
            pass
    raise ValueError(f"must be a number, not {raw!r}")


def _path(_key: str, raw: object) -> Path:
    if not isinstance(raw, str | Path) or not str(raw):
        raise ValueError(f"must be a path, not {raw!r}")
    try:
        path = Path(raw).expanduser()
    except RuntimeError as error:  # ~ of somebody who is not known here
        raise ValueError(f"must be a path, not {str(raw)!r}: no such user's home folder") from error
    return Path(os.path.abspath(path))


_SCALARS: Mapping[Any, Callable[[str, object], object]] = {
    str: _text,
    bool: _bool,
    int: _int,
    float: _float,
    Path: _path,
}


def _check(key: str, value: object) -> object:
    """Bounds that a type cannot say. Raises: ValueError."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        least = 1 if key == "link.max_peers" else 0
        if not least <= value <= 2**53:
            raise ValueError(f"must be at least {least}, not {value}")
    elif key in _BOUNDS and isinstance(value, str):
        is_right, expected = _BOUNDS[key]
        if not is_right(value):
            raise ValueError(f"must be {expected}, not {value!r}")
    return value


def _is_address(text: str) -> bool:
    host, colon, port = text.rpartition(":")
    return bool(host and colon) and port.isdecimal() and int(port) < 2**16


def _is_relay(text: str) -> bool:
    return text in ("off", "public") or text.startswith(("https://", "http://"))


def _is_join(text: str) -> bool:
    return text.startswith("headwater://join/") or _is_address(
        text.removeprefix("http://").rstrip("/")
    )


_BOUNDS: Mapping[str, tuple[Callable[[str], bool], str]] = {
    "name": (is_name, f"a name of at most {MAX_NAME} characters in one line"),
    "web.http": (_is_address, "host:port (127.0.0.1:7333; port 0 lets the system choose)"),
    "link.bind": (_is_address, "host:port (0.0.0.0:0; port 0 lets the system choose)"),
    "link.relay": (_is_relay, "off, public or a relay's URL"),
    "discovery.join": (_is_join, "the host:port of a node's page or a headwater://join/ link"),
}


def _nearest(key: str, known: Mapping[str, Setting]) -> str:
    import difflib

    found = difflib.get_close_matches(key, known, 1)
    return f": did you mean {found[0]}?" if found else ""
