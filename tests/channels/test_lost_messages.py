"""What no sandbox shows: messages that other people made in the console, and odd answers."""

from typing import Any

from scrm.channels.base import AskedMessage, MassMessage
from scrm.channels.errors import Stale
from scrm.channels.wecom.lost_messages import find_lost_message
from tests.factories import NOW

MESSAGE = MassMessage("alice", ("wm1", "wm2"), "Good morning")
ROW = {"msgid": "m1", "text": {"content": "Good morning"}}


class Platform:
    """Answers with one message, as it is told to."""

    def __init__(self, row: dict[str, Any]) -> None:
        self.row = row
        self.senders = ["alice"]
        self.customers = ["wm1", "wm2"]
        self.is_gone = False

    def __call__(self, path: str, question: dict[str, Any]) -> dict[str, Any]:
        if path == "get_groupmsg_list_v2":
            # A page that names itself as the next one.
            return {"group_msg_list": self.row, "next_cursor": "again"}
        if self.is_gone:
            raise Stale("no such message", errcode=41047)
        if path == "get_groupmsg_task":
            return {"task_list": [{"userid": sender} for sender in self.senders]}
        return {"send_list": [{"external_userid": one} for one in self.customers]}


def find(platform: Platform) -> AskedMessage | None:
    return find_lost_message(platform, MESSAGE, since=NOW, until=NOW, known=frozenset())


def test_finds_the_message() -> None:
    assert find(Platform(ROW)) == AskedMessage("m1", ())


def test_leaves_a_message_that_a_person_made() -> None:
    assert find(Platform(ROW | {"creator": "alice"})) is None


def test_leaves_a_message_of_another_sender() -> None:
    platform = Platform(ROW)
    platform.senders = ["alice", "bob"]

    assert find(platform) is None


def test_leaves_a_message_that_reaches_others_too() -> None:
    platform = Platform(ROW)
    platform.customers = ["wm1", "wm3"]

    assert find(platform) is None


def test_leaves_a_message_with_other_attachments() -> None:
    assert find(Platform(ROW | {"attachments": [{"msgtype": "image", "image": {}}]})) is None


def test_leaves_a_message_that_is_gone() -> None:
    platform = Platform(ROW)
    platform.is_gone = True

    assert find(platform) is None


def test_finds_a_message_to_chats_by_sender_and_content() -> None:
    platform = Platform(ROW)
    platform.customers = []
    message = MassMessage("alice", (), "Good morning", chat_ids=("wr1",))

    found = find_lost_message(platform, message, since=NOW, until=NOW, known=frozenset())

    assert found == AskedMessage("m1", ())
