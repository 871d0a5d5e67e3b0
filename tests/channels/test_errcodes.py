from datetime import timedelta

import pytest

from scrm.channels.errors import (
    AlreadyDone,
    BackOff,
    ChannelError,
    InputRefused,
    Misconfigured,
    NotReady,
    QuotaExhausted,
    RetryLater,
    Stale,
)
from scrm.channels.wecom.errcodes import _TABLE, MEANINGS, error_of

PATH = "externalcontact/mark_tag"


@pytest.mark.parametrize(
    ("errcode", "expected"),
    [
        (-1, RetryLater),
        (6000, RetryLater),
        (40013, Misconfigured),
        (48002, Misconfigured),
        (60020, Misconfigured),
        (45009, BackOff),
        (45033, BackOff),
        (45035, RetryLater),
        (40058, InputRefused),
        (41048, InputRefused),
        (60111, Stale),
        (84061, Stale),
        (40126, QuotaExhausted),
        (41094, QuotaExhausted),
        (41063, NotReady),
        (41093, AlreadyDone),
        (40100, AlreadyDone),
        (41050, ChannelError),
    ],
)
def test_says_what_has_to_be_done(errcode: int, expected: type[ChannelError]) -> None:
    error = error_of(errcode, "whatever", PATH)

    assert type(error) is expected
    assert error.errcode == errcode


def test_tells_a_refused_secret_from_a_refused_token() -> None:
    secret = error_of(40001, "invalid credential", "gettoken")
    token = error_of(40001, "invalid credential", PATH)

    assert "copy the secret" in secret.detail
    assert "fresh token" in token.detail


def test_keeps_the_platforms_words_without_the_tail_that_always_differs() -> None:
    said = "invalid tagid, hint: [1576065934_28_e0], from ip: 9.30.0.138, more info at https://x"

    detail = error_of(40068, said, PATH).detail

    assert detail.endswith("(40068 invalid tagid)")


def test_waits_a_minute_at_a_limit_of_unknown_length() -> None:
    error = error_of(45009, "", PATH)

    assert isinstance(error, BackOff)
    assert error.delay == timedelta(seconds=60)


def test_refuses_for_good_what_nobody_documented() -> None:
    error = error_of(987654, "never seen", PATH)

    assert type(error) is ChannelError
    assert PATH in error.detail
    assert "987654 never seen" in error.detail


def test_gives_each_code_one_meaning() -> None:
    codes = [code for row in _TABLE for code in row[0]]

    assert len(codes) == len(set(codes)) == len(MEANINGS)
    assert len(codes) > 200
