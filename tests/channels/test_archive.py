"""What is inside an archived message, and the keys it is under."""

import json
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from django.core.management import CommandError, call_command

from scrm.audit.actions.recording import SYSTEM
from scrm.audit.models import AuditEntry
from scrm.channels.actions.archive_keys import add_archive_key
from scrm.channels.base import Agreement
from scrm.channels.models import ArchiveKey
from scrm.channels.opening import open_archive
from scrm.channels.wecom.archive import ArchiveMissing, SdkMissing, SealedMessage, record_of
from scrm.channels.wecom.archive_texts import text_of
from scrm.common.errors import InvalidInput
from scrm.tenancy.models import Corp
from tests.factories import NOW, make_corp
from tests.risk.archive import pem

ROW = SealedMessage(7, "outer", 1, "", "")


def part(kind: str, **body: Any) -> dict[str, Any]:
    return {"type": kind, "content": json.dumps(body)}


@pytest.mark.parametrize(
    ("kind", "message", "expected"),
    [
        ("text", {"text": {"content": "Hello"}}, "Hello"),
        ("markdown", {"info": {"content": "# Hello"}}, "# Hello"),
        (
            "link",
            {"link": {"title": "T", "description": "D", "link_url": "http://a", "image_url": "i"}},
            "T\nD\nhttp://a",
        ),
        ("weapp", {"weapp": {"title": "T", "displayname": "N", "pagepath": "p"}}, "T\nN"),
        ("file", {"file": {"filename": "prices.pdf", "md5sum": "0"}}, "prices.pdf"),
        ("location", {"location": {"title": "Shop", "address": "Road 1"}}, "Shop\nRoad 1"),
        ("vote", {"vote": {"votetitle": "Which?", "voteitem": ["A", "B"]}}, "Which?\nA\nB"),
        ("redpacket", {"redpacket": {"wish": "Luck", "totalamount": 100}}, "Luck"),
        ("external_redpacket", {"redpacket": {"wish": "Luck"}}, "Luck"),
        ("docmsg", {"doc": {"title": "Plan", "link_url": "http://d"}}, "Plan\nhttp://d"),
        ("meeting", {"meeting": {"topic": "Talk", "remarks": "Bring tea"}}, "Talk\nBring tea"),
        ("news", {"info": {"item": [{"title": "T", "url": "u", "picurl": "p"}]}}, "T\nu"),
        ("collect", {"collect": {"title": "Form", "details": [{"ques": "Name?"}]}}, "Form\nName?"),
        ("todo", {"todo": {"title": "T", "content": "C"}}, "T\nC"),
        ("solitaire", {"info": {"solitaire_content": "1. me"}}, "1. me"),
        ("note", {"info": {"items": [{"msg_type": "text", "content": '{"content": "n"}'}]}}, "n"),
        ("calendar", {"calendar": {"title": "T", "place": "P", "attendeename": ["x"]}}, "T\nP"),
        ("sphfeed", {"sphfeed": {"sph_name": "S", "feed_desc": "F"}}, "S\nF"),
        (
            "mixed",
            {"mixed": {"item": [part("text", content="Look"), part("image", md5sum="0")]}},
            "Look",
        ),
        (
            "chatrecord",
            {
                "chatrecord": {
                    "title": "Chat",
                    "item": [
                        part("ChatRecordText", content="One"),
                        part("ChatRecordLink", title="T", link_url="u"),
                        part("ChatRecordMixed", item=[part("text", content="Two")]),
                    ],
                }
            },
            "Chat\nOne\nT\nu\nTwo",
        ),
        (
            "meeting_voice_call",
            {"meeting_voice_call": {"sdkfileid": "f", "demofiledata": [{"filename": "a.pdf"}]}},
            "a.pdf",
        ),
        ("image", {"image": {"md5sum": "0", "sdkfileid": "f"}}, ""),
        ("voice", {"voice": {"play_length": 3}}, ""),
        ("text", {"text": "content"}, ""),
        ("text", {"text": None}, ""),
        ("mixed", {"mixed": {"item": [{"type": "text", "content": "no json"}]}}, "no json"),
        ("mixed", {"mixed": {"item": "nonsense"}}, ""),
        ("chatrecord", {"chatrecord": []}, ""),
        ("never_heard_of", {"never_heard_of": {"content": "x"}}, ""),
        (None, {}, ""),
    ],
)
def test_reads_what_people_read_and_no_keys(kind: Any, message: Any, expected: str) -> None:
    assert text_of({"msgtype": kind} | message) == expected


def test_a_chat_in_a_chat_in_a_chat_ends_somewhere() -> None:
    body: dict[str, Any] = {"content": "deep"}
    item = part("ChatRecordText", **body)
    for _ in range(12):
        item = part("chatrecord", title="t", item=[item])
    message = {"msgtype": "chatrecord", "chatrecord": {"title": "t", "item": [item]}}

    assert "deep" not in text_of(message)
    assert text_of(message).startswith("t\nt")


def test_reads_who_said_it_to_whom_and_when() -> None:
    record = record_of(
        {
            "msgid": "inner",
            "action": "send",
            "from": "anna",
            "tolist": ["wm1", "", None],
            "roomid": "wr1",
            "msgtime": 1700000000123,
            "msgtype": "text",
            "text": {"content": "Hello"},
        },
        ROW,
    )

    assert (record.seq, record.msgid, record.sender) == (7, "outer", "anna")
    assert (record.receivers, record.room_id, record.text) == (("wm1",), "wr1", "Hello")
    assert record.sent_at == datetime(2023, 11, 14, 22, 13, 20, 123000, tzinfo=UTC)


def test_reads_a_switch_which_has_other_names() -> None:
    record = record_of(
        {"msgid": "m", "action": "switch", "time": 1700000000000, "user": "anna"}, ROW
    )

    assert (record.action, record.sender, record.text) == ("switch", "anna", "")
    assert record.sent_at == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)


def test_reads_what_somebody_says_about_being_archived() -> None:
    message = {"from": "wm1", "tolist": ["anna"], "msgtype": "disagree", "msgtime": 1700000000000}
    message |= {"disagree": {"userid": "wm1", "disagree_time": 1700000001000}}

    said = Agreement("anna", "wm1", False, datetime(2023, 11, 14, 22, 13, 21, tzinfo=UTC))
    assert record_of(message, ROW).agreement == said
    in_room = record_of(message | {"roomid": "wr1"}, ROW).agreement
    assert in_room is not None
    assert in_room.userid == ""


# --- opening --------------------------------------------------------------------------------------
def test_says_what_the_real_platform_needs(db: None) -> None:
    corp = make_corp(archive_secret="s", base_url="https://qyapi.weixin.qq.com/cgi-bin/")

    with pytest.raises(SdkMissing, match="libWeWorkFinanceSdk_C"):
        open_archive(corp)


def test_says_that_there_is_no_secret(corp: Corp) -> None:
    with pytest.raises(ArchiveMissing, match="archive secret"):
        open_archive(corp)


# --- keys -----------------------------------------------------------------------------------------
def private_bytes(key: Any, encryption: Any = None) -> str:
    form = (Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption())
    return str(key.private_bytes(*form).decode())


def add(corp: Corp, text: str, version: int = 1) -> ArchiveKey:
    return add_archive_key(corp, version=version, private_key=text, actor=SYSTEM, now=NOW)


def test_keeps_a_key_and_says_so_without_it(corp: Corp) -> None:
    add(corp, pem(1))
    add(corp, pem(2))

    key = ArchiveKey.objects.get()
    assert key.private_key.strip() == pem(2).strip()
    first, second = AuditEntry.objects.order_by("id")
    assert first.data == {"version": 1, "replaced": False}
    assert second.data == {"version": 1, "replaced": True}


@pytest.mark.parametrize(
    ("text", "version", "path"),
    [
        ("", 1, "/private_key"),
        ("-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----", 1, "/private_key"),
        ("x" * 20_000, 1, "/private_key"),
        (None, 0, "/version"),
        (None, 2**31, "/version"),
    ],
)
def test_refuses_what_is_no_key(corp: Corp, text: str | None, version: int, path: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        add(corp, pem(1) if text is None else text, version)

    assert refusal.value.errors[0].path == path
    assert not ArchiveKey.objects.exists()


def test_refuses_keys_of_another_kind(corp: Corp) -> None:
    small = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505
    with pytest.raises(InvalidInput, match="2048 bits"):
        add(corp, private_bytes(small))
    with pytest.raises(InvalidInput, match="no RSA key"):
        add(corp, private_bytes(ec.generate_private_key(ec.SECP256R1())))
    with pytest.raises(InvalidInput, match="locked with a password"):
        add(corp, private_bytes(small, BestAvailableEncryption(b"secret")))


def test_a_key_comes_from_a_file_too(corp: Corp, tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    file.write_text(pem(1))
    out = StringIO()

    call_command("add_archive_key", corp=corp.corp_id, version=3, key_file=str(file), stdout=out)

    assert ArchiveKey.objects.get().version == 3
    assert "PRIVATE" not in out.getvalue()


@pytest.mark.parametrize("trouble", ["corp", "file", "key"])
def test_the_command_says_in_one_line_what_is_wrong(
    corp: Corp, tmp_path: Path, trouble: str
) -> None:
    file = tmp_path / "key.pem"
    file.write_text("nonsense" if trouble == "key" else pem(1))
    options = {"corp": corp.corp_id, "version": 1, "key_file": str(file)}
    options |= {"corp": {"corp": "ww0"}, "file": {"key_file": "/nowhere"}}.get(trouble, {})

    with pytest.raises(CommandError):
        call_command("add_archive_key", **options)
