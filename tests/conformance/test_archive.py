"""Every documented archived message is read; what there is to read in it is kept."""

import pytest

from scrm.channels.base import ArchivedRecord
from scrm.channels.wecom import parsing
from scrm.channels.wecom.archive import record_of
from scrm.channels.wecom.archive_sealed import SealedMessage, sealed_of
from tests.conformance.documented import named, needs_fixtures, payload

pytestmark = needs_fixtures

MESSAGES = named("archive.msg.*.json")
WORDLESS = {"image", "voice", "video", "emotion", "voiptext"}
# What they say is about the chat: who agreed, what was taken back, that a member left for another corp.
NEWS = {"agree", "disagree", "revoke", ""}


def read(name: str) -> ArchivedRecord:
    message = payload(name)
    row = SealedMessage(7, message["msgid"], 1, sealed_key="", sealed="")
    return record_of(message, row)


def test_there_are_messages_of_every_kind() -> None:
    assert len(MESSAGES) >= 35


@pytest.mark.parametrize("name", MESSAGES)
def test_reads_the_documented_message(name: str) -> None:
    message = payload(name)

    record = read(name)

    assert record.problem == ""
    assert (record.msgid, record.action) == (message["msgid"], message["action"])
    assert record.kind == message.get("msgtype", "")
    assert record.sender == message.get("from", message.get("user"))
    assert record.receivers == tuple(message.get("tolist", ()))
    assert record.sent_at
    assert record.sent_at.timestamp() * 1000 == message.get("msgtime", message.get("time"))
    assert bool(record.text) == (record.kind not in WORDLESS | NEWS)
    assert bool(record.recalls) == (record.action == "recall")
    assert bool(record.agreement) == (record.kind in {"agree", "disagree"})


def test_reads_the_documented_rows() -> None:
    answer = payload("archive.getchatdata.json")

    rows = [sealed_of(row) for row in parsing.objects(answer["chatdata"])]

    assert [row.seq for row in rows] == [row["seq"] for row in answer["chatdata"]]
    assert all(row.msgid and row.key_version and row.sealed_key and row.sealed for row in rows)
