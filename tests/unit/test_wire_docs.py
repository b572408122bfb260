"""docs/wire.md tells every message, field by field, with the bounds that the code enforces."""

import inspect as python
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import inspect

from headwater.wire import frames, groups, items, live, messages

DOCS = Path(__file__).parents[2] / "docs" / "wire.md"
STRUCTS = [
    kind
    for module in (items, live, groups, messages)
    for _, kind in python.getmembers(module, python.isclass)
    if issubclass(kind, msgspec.Struct) and kind.__module__ == module.__name__
]


def _section(name: str) -> str:
    """From its heading to the next."""
    found = re.search(rf"^### {name}\b.*?(?=^##|\Z)", DOCS.read_text(), re.MULTILINE | re.DOTALL)
    assert found, f"docs/wire.md has no section {name}"
    return found[0]


def _number(value: int | None) -> str:
    assert value is not None
    if value < 0:
        return f"-{_number(-value)}"
    power = value.bit_length() - 1
    return f"2^{power}" if power >= 16 and value == 1 << power else str(value)


def _range(info: Any) -> str:
    least, most = info.min_length or 0, info.max_length
    if least == most:
        return _number(most)
    return f"{least} to {_number(most)}"


def described(info: inspect.Type) -> str:
    """A field's type and bounds in the words of the document."""
    match info:
        case inspect.BoolType():
            return "bool"
        case inspect.IntType():
            return f"int, {_number(info.ge)} to {_number(info.le)}"
        case inspect.BytesType():
            return f"bytes, {_range(info)}"
        case inspect.StrType():
            return f"str, {_range(info)}"
        case inspect.LiteralType():
            return "one of " + ", ".join(f"`{value}`" for value in info.values)
        case inspect.VarTupleType():
            return f"list, {_range(info)}, of ({described(info.item_type)})"
        case inspect.StructType():
            return info.cls.__name__
        case _:
            raise NotImplementedError(f"say how {info} is written")


@pytest.mark.parametrize("kind", [k for k in STRUCTS if not issubclass(k, items.Claim)])
def test_every_struct_is_told_field_by_field(kind: type[msgspec.Struct]) -> None:
    section, info = _section(kind.__name__), inspect.type_info(kind)
    assert isinstance(info, inspect.StructType)
    if info.tag is not None:
        assert f"`{info.tag}`" in section.splitlines()[0]
    for field in info.fields:
        row = f"| `{field.name}` | {described(field.type)} |"
        assert row in section, f"{kind.__name__} lacks: {row}"
    told = re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
    assert told == [field.name for field in info.fields], "and nothing else, in this order"


@pytest.mark.parametrize("kind", [items.Claim, items.Item])
def test_what_never_travels_is_told_as_well(kind: type[msgspec.Struct]) -> None:
    section = _section(kind.__name__)
    for field in msgspec.structs.fields(kind):
        assert f"`{field.name}`" in section


def test_the_other_numbers_are_those_of_the_code() -> None:
    text = DOCS.read_text()
    assert f"{frames.MAX_FRAME_BYTES} bytes" in text
    assert f"{items.MAX_ITEM_BYTES} bytes" in text
    assert messages.PROTOCOL.decode() in text
