import base64
import hashlib
import json
from typing import Any

import pytest
import requests

from scrm.sandbox.archived_kinds import CALL_IDS
from scrm.sandbox.people import ActRefused
from scrm.sandbox.server import SandboxServer

DAY = 24 * 3600
PULL = "archive/getmediadata"


def ask(sandbox: SandboxServer, file_id: str, index: str = "", **changes: Any) -> dict[str, Any]:
    credentials = sandbox.credentials
    body = {
        "corpid": credentials.corp_id,
        "archive_secret": credentials.archive_secret,
        "sdkfileid": file_id,
        "indexbuf": index,
    }
    url = sandbox.root_url + PULL
    answer: dict[str, Any] = requests.post(url, json=body | changes, timeout=10).json()
    return answer


def download(sandbox: SandboxServer, file_id: str) -> list[bytes]:
    pieces, index = [], ""
    while True:
        answer = ask(sandbox, file_id, index)
        assert answer["errcode"] == 0, answer
        pieces.append(base64.b64decode(answer["data"]))
        index = answer["outindexbuf"]
        if answer["is_finish"]:
            return pieces


def last_plain(sandbox: SandboxServer) -> dict[str, Any]:
    return sandbox.world.archive.messages[-1].plain


def test_a_file_comes_in_pieces_of_512_kilobytes(
    sandbox: SandboxServer, seller: str, buyers: list[str]
) -> None:
    sandbox.people.customer_says(buyers[0], seller, kind="video")
    video = last_plain(sandbox)["video"]

    pieces = download(sandbox, video["sdkfileid"])

    assert [len(piece) for piece in pieces] == [524_288, 524_288, video["filesize"] - 1_048_576]
    whole = b"".join(pieces)
    assert hashlib.md5(whole, usedforsecurity=False).hexdigest() == video["md5sum"]
    assert download(sandbox, video["sdkfileid"]) == pieces


@pytest.mark.parametrize(
    ("kind", "size"), [("image", "filesize"), ("voice", "voice_size"), ("emotion", "imagesize")]
)
def test_every_file_is_there_as_large_as_said(
    sandbox: SandboxServer, seller: str, buyers: list[str], kind: str, size: str
) -> None:
    for _ in range(2):
        sandbox.people.staff_says(seller, buyers[0], kind=kind)
    first, second = (message.plain[kind] for message in sandbox.world.archive.messages)

    (content,) = download(sandbox, first["sdkfileid"])

    assert len(content) == first[size]
    assert first["md5sum"] != second["md5sum"]


def test_files_inside_of_other_messages_are_there_too(
    sandbox: SandboxServer, seller: str, buyers: list[str]
) -> None:
    for kind in ("mixed", "meeting_voice_call", "voip_doc_share"):
        sandbox.people.staff_says(seller, buyers[0], kind=kind)
    mixed, call, share = (message.plain for message in sandbox.world.archive.messages)

    picture = json.loads(mixed["mixed"]["item"][1]["content"])
    ids = [picture["sdkfileid"], call["meeting_voice_call"]["sdkfileid"]]
    ids.append(share["voip_doc_share"]["sdkfileid"])
    assert all(b"".join(download(sandbox, file_id)) for file_id in ids)
    for plain, kind in ((call, "meeting_voice_call"), (share, "voip_doc_share")):
        assert plain[CALL_IDS[kind]].startswith("gr")


def test_people_send_files_of_their_own(
    sandbox: SandboxServer, seller: str, buyers: list[str]
) -> None:
    content = "价格表".encode() * 9
    kept = sandbox.people.keep_file(base64.b64encode(content).decode())
    sandbox.people.staff_says(
        seller, buyers[0], kind="file", body=kept | {"filename": "价格.csv", "fileext": "csv"}
    )

    assert download(sandbox, last_plain(sandbox)["file"]["sdkfileid"]) == [content]


def test_files_go_after_five_days(sandbox: SandboxServer, seller: str, buyers: list[str]) -> None:
    sandbox.people.staff_says(seller, buyers[0], kind="image")
    file_id = last_plain(sandbox)["image"]["sdkfileid"]
    sandbox.clock.advance(5 * DAY - 60)
    assert ask(sandbox, file_id)["errcode"] == 0
    sandbox.clock.advance(61)

    assert ask(sandbox, file_id)["errcode"] == 301048


def test_refuses_wrong_files_pieces_and_secrets(
    sandbox: SandboxServer, seller: str, buyers: list[str]
) -> None:
    sandbox.people.staff_says(seller, buyers[0], kind="image")
    file_id = last_plain(sandbox)["image"]["sdkfileid"]

    assert ask(sandbox, "Csx")["errcode"] == 10005
    assert ask(sandbox, "")["errcode"] == 40063
    assert ask(sandbox, file_id, "here")["errcode"] == 40058
    assert ask(sandbox, file_id, "Range:bytes=99999999-99999999")["errcode"] == 40058
    assert ask(sandbox, file_id, archive_secret="wrong")["errcode"] == 40001
    sandbox.options.archive_enabled = False
    assert ask(sandbox, file_id)["errcode"] == 301053


def test_a_change_of_corp_is_a_line_of_another_form(sandbox: SandboxServer, seller: str) -> None:
    msgid = sandbox.people.switches_corp(seller)

    line = last_plain(sandbox)
    assert abs(line.pop("time") / 1000 - sandbox.clock.now()) < 5
    assert line == {"msgid": msgid, "action": "switch", "user": seller}
    with pytest.raises(ActRefused, match="nothing archived"):
        sandbox.people.recall_message(msgid)
    with pytest.raises(ActRefused, match="nothing archived"):
        sandbox.people.replies_to_message(seller, msgid, "?")
    sandbox.people.set_archived(seller, enabled=False)
    assert sandbox.people.switches_corp(seller) == ""


def test_an_answer_quotes_in_words(sandbox: SandboxServer, seller: str, buyers: list[str]) -> None:
    asked = sandbox.people.customer_says(buyers[0], seller, "有三段吗")
    sandbox.people.replies_to_message(seller, asked, "有的")

    plain = last_plain(sandbox)
    assert (plain["from"], plain["tolist"], plain["msgtype"]) == (seller, [buyers[0]], "text")
    assert "有三段吗" in plain["text"]["content"]
    assert plain["text"]["content"].endswith("有的")
    with pytest.raises(ActRefused, match="has not heard"):
        sandbox.people.replies_to_message(buyers[1], asked, "我也要")
