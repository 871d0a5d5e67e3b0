"""The whole pull, from Tencent's library to the rows: every kind, every trouble."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from risk.actions.archiving import pull_due_archives
from risk.models import ArchiveCursor, ArchivedMessage
from scrm.channels.models import ArchiveKey
from scrm.channels.opening import open_archive
from scrm.channels.wecom.archive import WeComArchive
from scrm.channels.wecom.archive_sdk import close_processes, sdk_messages
from scrm.tenancy.models import Corp, Staff
from tests.channels.finance_sdk import FinanceSdk, compiled_library
from tests.factories import NOW
from tests.risk.archive import FakeArchive, give_key, texts

MINUTE = timedelta(minutes=1)
FILE = {"md5sum": "0" * 32, "sdkfileid": "f1", "filesize": 10}


@pytest.fixture
def sdk(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[FinanceSdk]:
    settings.ARCHIVE_SDK = str(compiled_library())
    monkeypatch.setenv("FINANCE_SDK_DIR", str(tmp_path))
    yield FinanceSdk(tmp_path)
    close_processes()


@pytest.fixture
def agreements(
    shop: Corp, anna: Staff, sdk: FinanceSdk, monkeypatch: pytest.MonkeyPatch
) -> FakeArchive:
    """The library gives the messages, a stand-in says who agreed: wm1, with anna."""
    fake = FakeArchive()
    fake.agreed["anna", "wm1"] = (True, None)

    def open_archive(corp: Corp) -> WeComArchive:
        messages = sdk_messages(corp_id=corp.corp_id, secret=corp.archive_secret)
        assert messages is not None
        keys = {key.version: key.private_key for key in ArchiveKey.objects.for_corp(corp)}
        return WeComArchive(messages, client=fake, keys=keys)  # type: ignore[arg-type]

    monkeypatch.setattr("risk.actions.archiving.open_archive", open_archive)
    return fake


def test_a_corp_at_wecom_is_read_through_the_library(shop: Corp, sdk: FinanceSdk) -> None:
    shop.base_url = "https://qyapi.weixin.qq.com/cgi-bin/"
    sdk.say("anna", "wm1", "Good morning")

    (record,) = open_archive(shop).messages_after(0).rows

    assert record.text == "Good morning"


@pytest.mark.usefixtures("agreements")
def test_keeps_what_was_said_and_goes_on_there(shop: Corp, sdk: FinanceSdk) -> None:
    sdk.say("anna", "wm1", "One")
    assert pull_due_archives(now=NOW) == {"messages": 1, "pages": 1}
    sdk.say("wm1", "anna", "Two")

    assert pull_due_archives(now=NOW + MINUTE) == {"messages": 1, "pages": 1}

    assert texts(shop) == [("kept", "One"), ("kept", "Two")]
    assert ArchiveCursor.objects.get().seq == 2


@pytest.mark.usefixtures("agreements")
def test_the_pull_survives_the_library_and_goes_on_at_its_place(
    shop: Corp, sdk: FinanceSdk
) -> None:
    sdk.say("anna", "wm1", "One")
    pull_due_archives(now=NOW)
    sdk.say("anna", "wm1", "Two")
    sdk.trouble("GetChatData", "abort")

    assert pull_due_archives(now=NOW + MINUTE)["failed"] == 1
    assert "broke down" in ArchiveCursor.objects.get().problem
    pull_due_archives(now=NOW + 2 * MINUTE)

    assert texts(shop) == [("kept", "One"), ("kept", "Two")]
    assert ArchiveCursor.objects.get().problem == ""
    numbers = [line.split()[1] for line in sdk.ledger("GetChatData")]
    assert numbers == ["seq=0", "seq=1", "seq=1", "seq=1", "seq=2"]


@pytest.mark.usefixtures("agreements")
def test_a_message_that_breaks_the_library_holds_nobody_up(shop: Corp, sdk: FinanceSdk) -> None:
    for text in ("One", "This breaks the library", "Three"):
        sdk.say("anna", "wm1", text)

    pull_due_archives(now=NOW)

    assert texts(shop) == [("kept", "One"), ("unreadable", ""), ("kept", "Three")]
    assert "SIGABRT" in ArchivedMessage.objects.get(seq=2).problem


@pytest.mark.usefixtures("agreements")
def test_what_waits_for_its_key_is_opened_with_it(shop: Corp, sdk: FinanceSdk) -> None:
    sdk.say("anna", "wm1", "One")
    sdk.version = 2
    sdk.say("anna", "wm1", "Two")
    sdk.version = 1
    sdk.say("anna", "wm1", "Three")
    pull_due_archives(now=NOW)
    assert texts(shop) == [("kept", "One"), ("unreadable", ""), ("kept", "Three")]

    give_key(shop, 2, now=NOW + MINUTE)
    assert pull_due_archives(now=NOW + 2 * MINUTE)["reopened"] == 1

    assert texts(shop) == [("kept", "One"), ("kept", "Two"), ("kept", "Three")]


@pytest.mark.usefixtures("agreements")
def test_what_the_platform_has_forgotten_is_counted(shop: Corp, sdk: FinanceSdk) -> None:
    sdk.say("anna", "wm1", "One")
    pull_due_archives(now=NOW)
    for _ in range(9):
        sdk.say("anna", "wm1", "Nobody hears this")
    sdk.say("anna", "wm1", "Eleven")
    sdk.keep("oldest", 11)

    pull_due_archives(now=NOW + timedelta(days=6))

    assert texts(shop) == [("kept", "One"), ("kept", "Eleven")]
    cursor = ArchiveCursor.objects.get()
    assert (cursor.seq, cursor.gap_size, cursor.gap_after) == (11, 9, 1)


# --- kinds ----------------------------------------------------------------------------------------
KINDS: dict[str, dict[str, Any]] = {
    "image": {"image": FILE},
    "voice": {"voice": {"md5sum": "0", "voice_size": 9, "play_length": 3, "sdkfileid": "f1"}},
    "video": {"video": FILE | {"play_length": 8}},
    "emotion": {"emotion": {"type": 1, "imagesize": 7, "sdkfileid": "f1", "md5sum": "0"}},
    "file": {"file": FILE | {"filename": "prices.pdf"}},
    "card": {"card": {"corpname": "Friends", "userid": "wm7"}},
    "location": {"location": {"longitude": 1.5, "latitude": 2.5, "title": "Shop"}},
    "link": {"link": {"title": "Read", "link_url": "https://a.example"}},
    "weapp": {"weapp": {"title": "Members", "appid": "wx0"}},
    "chatrecord": {"chatrecord": {"title": "Chat", "item": []}},
    "mixed": {"mixed": {"item": [{"type": "text", "content": '{"content": "Look"}'}]}},
    "todo": {"todo": {"title": "Call", "content": "her"}},
    "vote": {"vote": {"votetitle": "When?", "voteitem": ["Now"]}},
    "collect": {"collect": {"title": "Form", "details": []}},
    "redpacket": {"redpacket": {"wish": "Luck", "totalamount": 100}},
    "external_redpacket": {"redpacket": {"wish": "Luck", "totalamount": 100}},
    "meeting": {"meeting": {"topic": "Talk", "meetingid": 1}},
    "meeting_notification": {"info": {"content": "Over", "meeting_id": 1}},
    "meeting_voice_call": {"voiceid": "v", "meeting_voice_call": {"sdkfileid": "f1"}},
    "docmsg": {"doc": {"title": "Plan", "doc_creator": "anna"}},
    "news": {"info": {"item": [{"title": "New"}]}},
    "calendar": {"calendar": {"title": "Visit", "creatorname": "anna"}},
    "voip_doc_share": {"voipid": "v", "voip_doc_share": FILE | {"filename": "a.pdf"}},
    "sphfeed": {"sphfeed": {"sph_name": "Us", "feed_desc": "Live"}},
    "voiptext": {"info": {"callduration": 9, "invitetype": 2}},
    "qydiskfile": {"info": {"filename": "list.xlsx", "url": "https://a.example/d"}},
    "solitaire": {"info": {"solitaire_content": "1. me"}},
    "note": {"info": {"items": [{"msg_type": "text", "content": '{"content": "n"}'}]}},
}
SAID_IN_FULL: dict[str, dict[str, Any]] = {
    "markdown": {"info": {"content": "# Hello"}},
    "revoke": {"action": "recall", "revoke": {"pre_msgid": "m0"}},
    "agree": {"from": "wm1", "tolist": ["anna"], "agree": {"userid": "wm1"}},
}
WORDLESS = {
    "image",
    "voice",
    "video",
    "emotion",
    "meeting_voice_call",
    "voiptext",
    "revoke",
    "agree",
}


@pytest.mark.usefixtures("agreements")
def test_every_kind_becomes_a_row_with_its_words_and_its_form(shop: Corp, sdk: FinanceSdk) -> None:
    kinds = KINDS | SAID_IN_FULL
    for kind, body in kinds.items():
        sdk.say("anna", "wm1", **({"msgtype": kind} | body))
    sdk.say("anna", "wm1", "Hello")
    sdk.put({"msgid": "switch", "action": "switch", "time": 1700000000000, "user": "anna"})

    assert pull_due_archives(now=NOW)["messages"] == len(kinds) + 2

    rows = {row.kind: row for row in ArchivedMessage.objects.all()}
    assert {kind for kind, row in rows.items() if row.payload} == set(KINDS)
    assert {kind for kind, row in rows.items() if not row.text} == WORDLESS | {""}
    assert not any(row.problem for row in rows.values())


def test_the_form_of_a_message_names_its_files(
    shop: Corp, sdk: FinanceSdk, agreements: FakeArchive
) -> None:
    inner = '{"md5sum": "1", "filesize": 5, "sdkfileid": "f2"}'
    record = {"title": "t", "item": [{"type": "ChatRecordImage", "content": inner}] * 2}
    sdk.say("anna", "wm1", msgtype="chatrecord", chatrecord=record)
    sdk.say("anna", "wm1", msgtype="file", file=FILE | {"filename": "a.pdf"})
    pull_due_archives(now=NOW)

    source = open_archive(shop)
    first, second = (
        source.files_in(row.payload) for row in ArchivedMessage.objects.order_by("seq")
    )

    assert [(file.file_id, file.md5, file.size) for file in first] == [("f2", "1", 5)]
    assert [(file.file_id, file.name) for file in second] == [("f1", "a.pdf")]
    assert source.files_in("") == source.files_in("[") == ()


def test_nothing_is_kept_of_a_picture_to_which_nobody_agreed(
    shop: Corp, sdk: FinanceSdk, agreements: FakeArchive
) -> None:
    agreements.agreed["anna", "wm1"] = (False, None)
    sdk.say("wm1", "anna", msgtype="image", image=FILE)
    sdk.say("anna", "ben", msgtype="image", image=FILE, msgid="m2", tolist=["ben"])

    pull_due_archives(now=NOW)

    rows = ArchivedMessage.objects.order_by("seq")
    assert [(row.kind, row.text_state, row.payload) for row in rows] == [
        ("image", "no_text", ""), ("image", "no_text", ""),
    ]  # fmt: skip


@pytest.mark.usefixtures("agreements")
def test_a_kind_that_nobody_has_heard_of_is_kept_and_named(shop: Corp, sdk: FinanceSdk) -> None:
    sdk.say("anna", "wm1", msgtype="hologram", hologram={"content": "?"})
    sdk.say("anna", "wm1", "Next")

    pull_due_archives(now=NOW)

    first, second = ArchivedMessage.objects.order_by("seq")
    assert (first.kind, first.text_state) == ("hologram", "no_text")
    assert first.problem == "Unknown kind hologram: its words are not checked."
    assert '"hologram": {"content": "?"}' in first.payload
    assert second.text == "Next"
