"""Tencent's library behind ctypes, in a process of its own: what it says, and how it dies."""

import hashlib
import io
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from ctypes.util import find_library
from pathlib import Path

import psutil
import pytest
from pytest_django import Settings

from scrm.channels.errors import (
    ChannelError,
    InputRefused,
    Misconfigured,
    RetryLater,
    Stale,
    Unreachable,
)
from scrm.channels.wecom import archive_child, archive_process
from scrm.channels.wecom.archive import WeComArchive
from scrm.channels.wecom.archive_process import SdkBroke, SdkUnloadable
from scrm.channels.wecom.archive_sdk import SdkMessages, close_processes, sdk_messages
from scrm.channels.wecom.archive_sealed import Unsealable
from tests.channels.finance_sdk import FinanceSdk, compiled_library, sealed_by_library
from tests.risk.archive import pem

KEY = b"0123456789abcdef"


@pytest.fixture
def sdk(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[FinanceSdk]:
    settings.ARCHIVE_SDK = str(compiled_library())
    monkeypatch.setenv("FINANCE_SDK_DIR", str(tmp_path))
    yield FinanceSdk(tmp_path)
    close_processes()


def opened(secret: str = "archive") -> SdkMessages:  # noqa: S107
    messages = sdk_messages(corp_id="ww1", secret=secret)
    assert messages is not None
    return messages


def archive_of(messages: SdkMessages) -> WeComArchive:
    return WeComArchive(messages, client=None, keys={1: pem(1)})  # type: ignore[arg-type]


def md5_of(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def pid() -> int:
    found = opened()._process.pid
    assert found is not None
    return found


# --- pulling --------------------------------------------------------------------------------------
def test_hands_out_what_comes_after_a_number(sdk: FinanceSdk) -> None:
    for number in range(5):
        sdk.say("anna", "wm1", f"{number}")

    rows = opened().after(2, 2)

    assert [(row.seq, row.msgid, row.key_version) for row in rows] == [
        (3, "m3_external", 1), (4, "m4_external", 1),
    ]  # fmt: skip
    assert list(opened().after(5, 1000)) == []


def test_opens_what_was_sealed(sdk: FinanceSdk) -> None:
    sdk.say("anna", "wm1", "Good morning ☀")

    (record,) = archive_of(opened()).messages_after(0).rows

    assert (record.sender, record.text, record.problem) == ("anna", "Good morning ☀", "")


def test_a_handle_is_opened_once_and_kept(sdk: FinanceSdk) -> None:
    for _ in range(3):
        opened().after(0, 10)

    assert sdk.ledger("Init") == ["Init corpid=ww1 secret=archive keys=0"]


def test_another_secret_gets_a_handle_of_its_own(sdk: FinanceSdk) -> None:
    opened().after(0, 10)
    first = pid()
    opened("other").after(0, 10)

    assert [line.split()[2] for line in sdk.ledger("Init")] == ["secret=archive", "secret=other"]
    assert not psutil.pid_exists(first)


def test_goes_through_the_proxy_within_the_time(sdk: FinanceSdk, settings: Settings) -> None:
    settings.ARCHIVE_PROXY = "socks5://10.0.0.1:8081"
    settings.ARCHIVE_PROXY_LOGIN = "anna:secret"
    settings.ARCHIVE_TIMEOUT = 7

    opened().after(9, 10)

    expected = (
        "GetChatData seq=9 limit=10 proxy=socks5://10.0.0.1:8081 passwd=anna:secret timeout=7"
    )
    assert sdk.ledger("GetChatData") == [expected]


def test_asks_for_less_when_it_was_too_much(sdk: FinanceSdk) -> None:
    sdk.say("anna", "wm1", "One")
    sdk.keep("most", 300)
    messages = opened()

    assert len(messages.after(0, 1000)) == 1
    assert not messages.after(1, 1000)

    limits = [line.split()[2] for line in sdk.ledger("GetChatData")]
    assert limits == ["limit=1000", "limit=500", "limit=250", "limit=250"]


def test_what_is_forgotten_is_left_behind(sdk: FinanceSdk) -> None:
    for number in range(6):
        sdk.say("anna", "wm1", f"{number}")
    sdk.keep("oldest", 5)

    assert [row.seq for row in opened().after(2, 1000)] == [5, 6]


def test_everything_taken_is_given_back(sdk: FinanceSdk) -> None:
    sdk.say("anna", "wm1", "One")
    sdk.trouble("GetChatData", 10001, "ok")
    sdk.trouble("DecryptData", 10003, 10006)
    sdk.trouble("GetMediaData", 10005)
    source = archive_of(opened())

    with pytest.raises(Unreachable):
        source.messages_after(0)
    source.messages_after(0)
    with pytest.raises(InputRefused):
        source.fetch_media("f", md5="", into=io.BytesIO())
    close_processes()

    assert len(sdk.ledger("+slice")) == 4
    assert len(sdk.ledger("+media")) == 1
    assert sdk.kept() == {}


def test_threads_take_turns(sdk: FinanceSdk) -> None:
    sdk.say("anna", "wm1", "One")

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: len(opened().after(0, 10)), range(40)))

    assert found == [1] * 40
    assert len(sdk.ledger("Init")) == 1
    assert sdk.ledger("overlap") == []


# --- refusals -------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        (10000, Misconfigured, "check the corp id"),
        (10001, Unreachable, "SCRM_ARCHIVE_PROXY"),
        (10002, RetryLater, "could not read"),
        (10003, RetryLater, "asked again"),
        (10009, Misconfigured, "add it in the console"),
        (10010, Stale, "5 days"),
        (10011, Misconfigured, "certificate"),
        (4711, ChannelError, "refused"),
    ],
)
def test_says_what_to_do_about_a_code(
    sdk: FinanceSdk, code: int, kind: type[ChannelError], words: str
) -> None:
    sdk.trouble("GetChatData", code)

    with pytest.raises(kind, match=words) as refusal:
        opened().after(0, 10)

    assert refusal.value.errcode == code
    assert f"({code})" in str(refusal.value)


def test_a_refused_handle_is_asked_for_again(sdk: FinanceSdk) -> None:
    sdk.trouble("Init", 10009)
    with pytest.raises(Misconfigured, match="add it in the console"):
        opened().after(0, 10)

    assert list(opened().after(0, 10)) == []
    close_processes()
    assert sdk.kept() == {}


def test_says_what_is_no_library(sdk: FinanceSdk, settings: Settings) -> None:
    settings.ARCHIVE_SDK = "/nowhere/libWeWorkFinanceSdk_C.so"
    with pytest.raises(SdkUnloadable, match=r"/nowhere.*SCRM_ARCHIVE_SDK"):
        opened().after(0, 10)


def test_says_what_is_another_library(sdk: FinanceSdk, settings: Settings) -> None:
    settings.ARCHIVE_SDK = str(find_library("c"))

    with pytest.raises(SdkUnloadable, match="NewSdk"):
        opened().after(0, 10)


# --- breaking down --------------------------------------------------------------------------------
def test_an_abort_takes_nobody_along(sdk: FinanceSdk) -> None:
    sdk.say("anna", "wm1", "One")
    sdk.trouble("GetChatData", "abort")

    with pytest.raises(SdkBroke, match=r"«pull» \(SIGABRT\)"):
        opened().after(0, 10)
    assert [row.seq for row in opened().after(0, 10)] == [1]


def test_one_that_hangs_is_ended(
    sdk: FinanceSdk, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    settings.ARCHIVE_TIMEOUT = 1
    opened().after(0, 10)
    hanging = pid()
    monkeypatch.setattr(archive_process, "WORK_SECONDS", 0.5)
    sdk.trouble("GetChatData", "hang")

    started = time.monotonic()
    with pytest.raises(SdkBroke, match="did not come back"):
        opened().after(0, 10)

    assert 1.4 < time.monotonic() - started < 10
    assert not psutil.pid_exists(hanging)


def test_one_that_was_killed_meanwhile_is_not_missed(sdk: FinanceSdk) -> None:
    opened().after(0, 10)
    child = psutil.Process(pid())
    child.kill()
    while child.status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)

    assert list(opened().after(0, 10)) == []
    assert len(sdk.ledger("Init")) == 2


def test_one_that_nobody_needs_is_replaced(
    sdk: FinanceSdk, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened().after(0, 10)
    first = pid()
    monkeypatch.setattr(archive_process, "IDLE_SECONDS", 0.0)

    opened().after(0, 10)

    assert not psutil.pid_exists(first)
    close_processes()
    assert sdk.kept() == {}


def test_ends_with_whoever_asked(sdk: FinanceSdk) -> None:
    """Also out of a call that never comes back."""
    sdk.trouble("GetChatData", "hang")
    child = subprocess.Popen(  # noqa: S603
        [sys.executable, "-I", "-S", archive_child.__file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with child:
        assert child.stdin is not None
        opening = {"call": "open", "library": str(compiled_library()), "corp_id": "ww1"}
        way = {"proxy": "", "password": "", "timeout": 60}
        child.stdin.write(archive_child.frame_of(opening, b"secret"))
        child.stdin.write(archive_child.frame_of({"call": "pull", "seq": 0, "limit": 1} | way, b""))
        child.stdin.flush()
        while not sdk.ledger("GetChatData"):
            time.sleep(0.01)
        child.stdin.close()
        assert child.wait(10) == 0


def test_an_interrupted_call_leaves_no_answer_for_the_next(
    sdk: FinanceSdk, monkeypatch: pytest.MonkeyPatch
) -> None:
    sdk.say("anna", "wm1", "One")
    opened().after(0, 10)
    read = archive_process._read

    def interrupted(*_: object) -> bytes:
        monkeypatch.setattr(archive_process, "_read", read)
        raise KeyboardInterrupt

    monkeypatch.setattr(archive_process, "_read", interrupted)
    with pytest.raises(KeyboardInterrupt):
        opened().after(1, 10)

    assert [row.seq for row in opened().after(0, 10)] == [1]


# --- opening --------------------------------------------------------------------------------------
def test_another_key_opens_nothing(sdk: FinanceSdk) -> None:
    _key, sealed = sealed_by_library({"msgid": "m"}, version=1)

    with pytest.raises(ValueError, match="10006"):
        opened().unseal(KEY, sealed)
    with pytest.raises(ValueError, match="NUL"):
        opened().unseal(b"ab\0cd", sealed)


def test_tries_again_before_it_gives_a_message_up(sdk: FinanceSdk) -> None:
    sdk.say("anna", "wm1", "One")
    sdk.trouble("DecryptData", 10003, 10001, "ok")
    assert archive_of(opened()).messages_after(0).rows[0].text == "One"

    sdk.trouble("DecryptData", 10003, 10003, 10003)
    (record,) = archive_of(opened()).messages_after(0).rows
    assert record.problem == "The archive's library failed; it is asked again. (10003)"


def test_a_message_that_breaks_the_library_is_put_aside(sdk: FinanceSdk) -> None:
    sdk.say("anna", "wm1", "One")
    sdk.say("anna", "wm1", "This breaks the library")
    sdk.say("anna", "wm1", "Three")

    one, two, three = archive_of(opened()).messages_after(0).rows

    assert (one.text, two.text, three.text) == ("One", "", "Three")
    assert "broke down in «unseal» (SIGABRT)" in two.problem


def test_a_library_that_breaks_at_everything_stops_the_pull(sdk: FinanceSdk) -> None:
    for _ in range(5):
        sdk.say("anna", "wm1", "This breaks the library")

    with pytest.raises(SdkBroke):
        archive_of(opened()).messages_after(0)


def test_a_message_at_which_it_hangs_is_put_aside(
    sdk: FinanceSdk, monkeypatch: pytest.MonkeyPatch
) -> None:
    _key, sealed = sealed_by_library({"msgid": "m"}, version=1)
    plain = b"plain:holds the library up"
    sealed = bytes(byte ^ KEY[place % len(KEY)] for place, byte in enumerate(plain)).hex()
    messages = opened()
    messages.after(0, 10)
    monkeypatch.setattr(archive_process, "WORK_SECONDS", 0.5)

    with pytest.raises(Unsealable, match="did not come back"):
        messages.unseal(KEY, sealed)


# --- files ----------------------------------------------------------------------------------------
def test_fetches_a_file_piece_by_piece(sdk: FinanceSdk) -> None:
    content = os.urandom(1_300_000)
    sdk.keep("media.f1", content)
    # Each piece is asked for again when it does not come.
    sdk.trouble("GetMediaData", "ok", 10001, 10003, "ok", "abort", "ok")
    file = io.BytesIO()

    size = archive_of(opened()).fetch_media("f1", md5=md5_of(content), into=file)

    assert size == 1_300_000
    assert file.getvalue() == content
    assert [line.split()[1] for line in sdk.ledger("GetMediaData")] == [
        "index=", "index=524288", "index=524288", "index=524288", "index=1048576", "index=1048576",
    ]  # fmt: skip


def test_an_empty_file_is_a_file(sdk: FinanceSdk) -> None:
    sdk.keep("media.f1", b"")
    assert archive_of(opened()).fetch_media("f1", md5=md5_of(b""), into=io.BytesIO()) == 0


@pytest.mark.parametrize(
    ("trouble", "md5", "most", "kind", "words"),
    [
        ([], "0" * 32, 1000, RetryLater, "damaged"),
        ([], "", 3, InputRefused, "larger than 3 bytes"),
        ([10005], "", 1000, InputRefused, "does not know this file"),
        ([10010], "", 1000, Stale, "5 days"),
        ([10001] * 3, "", 1000, Unreachable, "cannot reach"),
        (["abort"] * 3, "", 1000, SdkBroke, "broke down"),
    ],
)
def test_says_why_there_is_no_file(
    sdk: FinanceSdk,
    trouble: list[str | int],
    md5: str,
    most: int,
    kind: type[ChannelError],
    words: str,
) -> None:
    sdk.keep("media.f1", b"content")
    sdk.trouble("GetMediaData", *trouble)

    with pytest.raises(kind, match=words):
        archive_of(opened()).fetch_media("f1", md5=md5, into=io.BytesIO(), most=most)
