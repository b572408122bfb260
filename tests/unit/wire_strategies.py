"""Hypothesis strategies for every wire struct, read off its own annotations."""

import re
from typing import Any

import msgspec
from hypothesis import strategies as st
from msgspec import inspect

__all__ = ["anything_packed", "struct_types", "values_of"]

TEXT = st.characters(exclude_categories=["Cs"])


def values_of(kind: Any) -> st.SearchStrategy[Any]:
    """Any value that a field of that annotation may hold; long ones are kept short."""
    return _values(inspect.type_info(kind))


def struct_types(kind: Any) -> list[type[msgspec.Struct]]:
    """The structs of a union, in its order."""
    info = inspect.type_info(kind)
    parts = info.types if isinstance(info, inspect.UnionType) else (info,)
    return [part.cls for part in parts if isinstance(part, inspect.StructType)]


def anything_packed() -> st.SearchStrategy[bytes]:
    """Well-formed MessagePack that means nothing."""
    leaf: st.SearchStrategy[Any] = st.one_of(
        *(st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.floats()),
        *(st.text(TEXT, max_size=20), st.binary(max_size=40)),
    )
    tree = st.recursive(
        leaf,
        lambda inner: (
            st.lists(inner, max_size=5) | st.dictionaries(st.text(TEXT, max_size=10), inner)
        ),
        max_leaves=12,
    )
    return tree.map(msgspec.msgpack.encode)


def _matching(text: st.SearchStrategy[str], pattern: str) -> st.SearchStrategy[str]:
    """Text with what the pattern does not take left out, or an address where it asks for one."""
    if "http" in pattern:
        return st.sampled_from(["", "http://192.0.2.7:7333", "https://node.example/"])
    wanted = re.compile(pattern)
    signs = text.map(lambda drawn: "".join(c for c in drawn if wanted.search("x" + c)))
    return signs.map(lambda drawn: drawn or "x").filter(wanted.search)


def _values(info: inspect.Type) -> st.SearchStrategy[Any]:
    match info:
        case inspect.BoolType():
            return st.booleans()
        case inspect.IntType():
            return st.integers(info.ge, info.le)
        case inspect.BytesType():
            least = info.min_length or 0
            most = least + 200 if info.max_length is None else info.max_length
            return st.binary(min_size=least, max_size=min(most, max(least, 200)))
        case inspect.StrType():
            most = 40 if info.max_length is None else info.max_length
            text = st.text(TEXT, min_size=info.min_length or 0, max_size=min(most, 40))
            return _matching(text, info.pattern) if info.pattern else text
        case inspect.LiteralType():
            return st.sampled_from(info.values)
        case inspect.VarTupleType():
            least, most = info.min_length or 0, 3 if info.max_length is None else info.max_length
            some = st.lists(_values(info.item_type), min_size=least, max_size=min(most, 3))
            return some.map(tuple)
        case inspect.UnionType():
            return st.one_of([_values(part) for part in info.types])
        case inspect.StructType():
            return st.builds(info.cls, **{f.name: _values(f.type) for f in info.fields})
        case _:
            raise NotImplementedError(f"no strategy for {info}")
