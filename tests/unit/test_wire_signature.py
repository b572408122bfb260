"""Signatures: those of RFC 8032 are genuine, and nothing that differs from them is."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from headwater.wire.signature import is_genuine

# RFC 8032, section 7.1: key, message, signature.
VECTORS = {
    "empty": (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
        "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    "one byte": (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
}
ORDER = 2**252 + 27742317777372353535851937790883648493


@pytest.mark.parametrize("name", VECTORS)
def test_those_of_the_rfc_are_genuine(name: str) -> None:
    key, message, signature = map(bytes.fromhex, VECTORS[name])
    assert is_genuine(signature, key, message)


@given(st.binary(max_size=300), st.data())
def test_nothing_that_differs_in_a_bit_is(message: bytes, data: st.DataObject) -> None:
    private = Ed25519PrivateKey.generate()
    key, signature = private.public_key().public_bytes_raw(), private.sign(message)
    assert is_genuine(signature, key, message)
    whole = bytearray(signature + key + message)
    bit = data.draw(st.integers(0, len(whole) * 8 - 1))
    whole[bit // 8] ^= 1 << bit % 8
    assert not is_genuine(bytes(whole[:64]), bytes(whole[64:96]), bytes(whole[96:]))


def test_a_second_form_of_the_same_signature_is_not() -> None:
    key, message, signature = map(bytes.fromhex, VECTORS["one byte"])
    s = int.from_bytes(signature[32:], "little") + ORDER
    assert not is_genuine(signature[:32] + s.to_bytes(32, "little"), key, message)


def test_a_key_that_vouches_for_anything_does_not() -> None:
    neutral = (1).to_bytes(32, "little")  # the point of order 1: R = A = it and S = 0 fit any text
    assert not is_genuine(neutral + bytes(32), neutral, b"anything")
