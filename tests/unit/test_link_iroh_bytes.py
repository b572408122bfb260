"""The replacement for the slow copying in iroh's bindings."""

import importlib.util
import sys
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from iroh import iroh_ffi

from headwater.link import iroh_bytes

_new_builder: Any = iroh_ffi._UniffiRustBufferBuilder


@pytest.fixture(scope="module")
def as_shipped() -> ModuleType:
    """The bindings' source as the wheel has it, whatever was installed into the loaded one."""
    assert iroh_ffi.__file__ is not None
    with open(iroh_ffi.__file__, encoding="utf-8") as file:
        source = file.read()
    start = source.index("class _UniffiRustBufferBuilder:")
    end = source.index("\n    def write_i8", start)
    spec = importlib.util.spec_from_loader("as_shipped", loader=None)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    module.__dict__["contextlib"] = sys.modules["contextlib"]
    exec(compile(source[start:end], "as_shipped", "exec"), module.__dict__)
    return module


def test_the_wheel_still_has_the_slow_method(as_shipped: ModuleType) -> None:
    """When this fails, iroh has been mended: delete link/iroh_bytes.py and this file."""
    assert iroh_bytes.is_slow(as_shipped._UniffiRustBufferBuilder.write)


def test_the_slow_method_is_gone_after_install() -> None:
    iroh_bytes.install()
    iroh_bytes.install()
    assert not iroh_bytes.is_slow(iroh_ffi._UniffiRustBufferBuilder.write)


@given(st.lists(st.binary(max_size=5000), max_size=8))
def test_the_replacement_writes_the_right_bytes(parts: list[bytes]) -> None:
    iroh_bytes.install()
    builder: Any = _new_builder()
    for part in parts:
        builder.write_i32(len(part))
        builder.write(part)
    buffer = builder.finalize()
    try:
        written = buffer.data[0 : buffer.len]
    finally:
        buffer.free()
    assert written == b"".join(len(part).to_bytes(4, "big") + part for part in parts)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_whatever_holds_bytes_can_be_written(kind: type) -> None:
    iroh_bytes.install()
    builder: Any = _new_builder()
    builder.write(kind(b"some bytes"))
    buffer = builder.finalize()
    try:
        assert buffer.data[0 : buffer.len] == b"some bytes"
    finally:
        buffer.free()
