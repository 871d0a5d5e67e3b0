from base64 import b64decode, b64encode

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from scrm.channels.wecom.crypto import ForgedCallback, MalformedCallback, Seal
from scrm.sandbox import envelope
from scrm.sandbox.credentials import Credentials

THEIRS = Credentials.for_seed(1)
OURS = Seal(THEIRS.callback_token, THEIRS.callback_aes_key, THEIRS.corp_id)
SEALED = OURS.encrypt(b"<xml/>")
# A machine that is busy with other things must not fail a test.
patiently = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
STAMP = {"timestamp": "1700000000", "nonce": "n"}


def open_sealed(encrypted: str, seal: Seal = OURS) -> bytes:
    return seal.open(encrypted, signature=seal.sign(encrypted, **STAMP), **STAMP)


@patiently
@given(text=st.text())
def test_opens_what_the_platform_seals(text: str) -> None:
    sealed = envelope.seal(text, THEIRS)
    query = dict(sealed.query)
    signature = query.pop("msg_signature")

    assert OURS.open(sealed.encrypted, signature=signature, **query) == text.encode()


@patiently
@given(message=st.binary(max_size=200))
def test_opens_what_it_seals(message: bytes) -> None:
    assert open_sealed(OURS.encrypt(message)) == message


@patiently
@given(place=st.integers(0, len(SEALED) - 1), letter=st.sampled_from("ABab01+/"))
def test_notices_every_change_of_the_sealed_text(place: int, letter: str) -> None:
    signature = OURS.sign(SEALED, **STAMP)
    changed = SEALED[:place] + letter + SEALED[place + 1 :]
    assume(changed != SEALED)

    with pytest.raises(ForgedCallback):
        OURS.open(changed, signature=signature, **STAMP)


@patiently
@given(junk=st.binary(max_size=96))
def test_calls_every_broken_ciphertext_malformed(junk: bytes) -> None:
    with pytest.raises(MalformedCallback):
        open_sealed(b64encode(junk).decode())


@pytest.mark.parametrize("junk", ["", "x", "not base64!", "é", "QUJD\n", "\ud800"])
def test_calls_what_is_no_base64_malformed(junk: str) -> None:
    with pytest.raises(MalformedCallback):
        open_sealed(junk)


def test_refuses_a_message_for_another_corp() -> None:
    stranger = Seal(OURS.token, OURS.aes_key, "ww9999999999999999")

    with pytest.raises(MalformedCallback, match="another corp"):
        open_sealed(stranger.encrypt(b"<xml/>"))


def test_refuses_a_message_of_another_key() -> None:
    stranger = Seal(OURS.token, "A" * 43, OURS.receive_id)

    with pytest.raises(MalformedCallback):
        open_sealed(stranger.encrypt(b"<xml/>"))


def test_refuses_a_message_that_is_cut_short() -> None:
    raw = b64decode(OURS.encrypt(b"x" * 200))

    with pytest.raises(MalformedCallback):
        open_sealed(b64encode(raw[:64]).decode())


@pytest.mark.parametrize("padding", [0, 48, 64])
def test_refuses_a_padding_that_nobody_makes(padding: int) -> None:
    message = b"<xml/>".ljust(64 - 20 - len(OURS.receive_id))
    length = len(message).to_bytes(4, "big")
    plain = bytes(16) + length + message + OURS.receive_id.encode()
    tail = bytes([padding]) * (padding or 16)
    encryptor = OURS._cipher().encryptor()

    with pytest.raises(MalformedCallback):
        open_sealed(b64encode(encryptor.update(plain + tail) + encryptor.finalize()).decode())


@pytest.mark.parametrize("signature", ["", "0" * 40, "é", "\ud800"])
def test_refuses_any_other_signature(signature: str) -> None:
    with pytest.raises(ForgedCallback):
        OURS.open(OURS.encrypt(b"<xml/>"), signature=signature, **STAMP)


def test_keeps_token_and_key_out_of_logs() -> None:
    assert OURS.token not in repr(OURS)
    assert OURS.aes_key not in repr(OURS)
