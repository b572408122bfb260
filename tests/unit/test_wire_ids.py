"""Ids in text form."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.errors import RemoteProtocolError
from headwater.wire.ids import parse_hex_id, short_id


@given(st.binary(min_size=32, max_size=32))
def test_an_id_reads_back_from_its_hex_form(identity: bytes) -> None:
    assert parse_hex_id(identity.hex()) == identity
    assert parse_hex_id(identity.hex().upper()) == identity
    assert identity.hex().startswith(short_id(identity))


@given(st.text(max_size=80))
def test_any_other_text_is_refused(text: str) -> None:
    try:
        identity = parse_hex_id(text)
    except RemoteProtocolError:
        return
    assert identity.hex() == text.lower()


@pytest.mark.parametrize("text", ["", "a" * 63, "a" * 65, "g" * 64, "aa " * 21 + "a", "é" * 64])
def test_nearly_right_is_refused(text: str) -> None:
    with pytest.raises(RemoteProtocolError):
        parse_hex_id(text)
