import base64
import json
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives import padding as block_padding
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from scrm.sandbox.archived_kinds import SAMPLES, body_name
from scrm.sandbox.people import ActRefused
from scrm.sandbox.server import SandboxServer
from tests.sandbox.client import Api, Receiver

DAY = 24 * 3600
PULL = "archive/getchatdata"


def ask(sandbox: SandboxServer, **changes: Any) -> dict[str, Any]:
    credentials = sandbox.credentials
    body = {
        "corpid": credentials.corp_id,
        "archive_secret": credentials.archive_secret,
        "seq": 0,
        "limit": 1000,
    }
    url = sandbox.base_url.removesuffix("cgi-bin/") + PULL
    answer: dict[str, Any] = requests.post(url, json=body | changes, timeout=10).json()
    return answer


def pull(sandbox: SandboxServer, **changes: Any) -> list[dict[str, Any]]:
    """Return rows as they travel, each with what opening it gives."""
    answer = ask(sandbox, **changes)
    assert answer["errcode"] == 0, answer
    keys = sandbox.archive_keys()
    return [row | {"plain": open_row(row, keys)} for row in answer["chatdata"]]


def open_row(row: dict[str, Any], keys: dict[int, str]) -> dict[str, Any]:
    private_key = load_pem_private_key(keys[row["publickey_ver"]].encode(), None)
    assert isinstance(private_key, RSAPrivateKey)
    sealed_key = base64.b64decode(row["encrypt_random_key"])
    key = private_key.decrypt(sealed_key, padding.PKCS1v15())
    decryptor = Cipher(algorithms.AES(key), modes.CBC(key[:16])).decryptor()
    padded = decryptor.update(base64.b64decode(row["encrypt_chat_msg"])) + decryptor.finalize()
    unpadder = block_padding.PKCS7(128).unpadder()
    plain: dict[str, Any] = json.loads(unpadder.update(padded) + unpadder.finalize())
    return plain


@pytest.fixture
def archive_api(sandbox: SandboxServer, api: Api) -> Api:
    """The client with a token of the archive."""
    secret = sandbox.credentials.archive_secret
    api.token = api.fetch_token(corpsecret=secret)["access_token"]
    return api


def agreement(archive_api: Api, userid: str, external_userid: str) -> str:
    info = [{"userid": userid, "exteranalopenid": external_userid}]
    (row,) = archive_api.ok("msgaudit/check_single_agree", info=info)["agreeinfo"]
    assert (row["userid"], row["exteranalopenid"]) == (userid, external_userid)
    return str(row["agree_status"])


def test_keeps_what_is_said_in_both_directions(
    sandbox: SandboxServer, seller: str, buyers: list[str]
) -> None:
    first = sandbox.people.staff_says(seller, buyers[0], "加我私人微信")
    second = sandbox.people.customer_says(buyers[0], seller, "好的")

    rows = pull(sandbox)

    assert [(row["seq"], row["msgid"]) for row in rows] == [(1, first), (2, second)]
    said, answered = rows[0]["plain"], rows[1]["plain"]
    assert abs(said.pop("msgtime") / 1000 - sandbox.clock.now()) < 5
    assert said == {
        "msgid": first,
        "action": "send",
        "from": seller,
        "tolist": [buyers[0]],
        "roomid": "",
        "msgtype": "text",
        "text": {"content": "加我私人微信"},
    }
    assert (answered["from"], answered["tolist"]) == (buyers[0], [seller])
    relation = sandbox.world.find_relation(seller, buyers[0])
    assert relation is not None
    assert sandbox.clock.now() - relation.last_chat_at < 5


def test_gives_pages_by_number_and_the_same_row_again(
    sandbox: SandboxServer, seller: str, buyers: list[str]
) -> None:
    for number in range(5):
        sandbox.people.staff_says(seller, buyers[0], str(number))

    assert [row["seq"] for row in pull(sandbox, limit=2)] == [1, 2]
    assert [row["seq"] for row in pull(sandbox, seq=2, limit=2)] == [3, 4]
    assert pull(sandbox, seq=5) == []
    assert pull(sandbox, seq=99) == []
    assert pull(sandbox, seq=4) == pull(sandbox, seq=4)


def test_keeps_five_days(sandbox: SandboxServer, seller: str, buyers: list[str]) -> None:
    sandbox.people.staff_says(seller, buyers[0], "旧")
    sandbox.clock.advance(4 * DAY)
    sandbox.people.staff_says(seller, buyers[0], "新")
    assert len(pull(sandbox)) == 2
    sandbox.clock.advance(1.5 * DAY)

    assert [row["seq"] for row in pull(sandbox, limit=1)] == [2]
    assert sandbox.archive() == {
        "messages": 2,
        "kept": 1,
        "last_seq": 2,
        "by_kind": {"text": 2},
    }


def test_old_messages_need_the_old_key(
    sandbox: SandboxServer, seller: str, buyers: list[str]
) -> None:
    sandbox.people.staff_says(seller, buyers[0], "一")
    assert sandbox.people.rotate_archive_key() == 2
    sandbox.people.staff_says(seller, buyers[0], "二")

    rows = pull(sandbox)

    assert [row["publickey_ver"] for row in rows] == [1, 2]
    assert [row["plain"]["text"]["content"] for row in rows] == ["一", "二"]
    keys = sandbox.archive_keys()
    assert set(keys) == {1, 2}
    assert keys[1] != keys[2]


def test_a_group_hears_everybody_else(
    sandbox: SandboxServer, seller: str, buyers: list[str]
) -> None:
    chat_id = sandbox.people.chat_create(seller, "宝妈群", buyers[:2])

    sandbox.people.customer_says(buyers[0], text="群里好", room=chat_id)
    sandbox.people.staff_says(seller, text="大家好", room=chat_id)

    first, second = (row["plain"] for row in pull(sandbox))
    assert (first["roomid"], first["tolist"]) == (chat_id, [seller, buyers[1]])
    assert second["tolist"] == buyers[:2]
    with pytest.raises(ActRefused, match="is not in"):
        sandbox.people.customer_says(buyers[2], text="我呢", room=chat_id)


def test_hears_a_customer_only_where_he_agreed(
    sandbox: SandboxServer, archive_api: Api, seller: str, buyers: list[str]
) -> None:
    sandbox.options.archive_agreed = False
    assert agreement(archive_api, seller, buyers[0]) == "Disagree"
    assert sandbox.people.customer_says(buyers[0], seller, "听不见") == ""
    assert sandbox.people.staff_says(seller, buyers[0], "请同意存档") != ""

    sandbox.people.agrees_to_archiving(buyers[0], seller)
    sandbox.people.customer_says(buyers[0], seller, "同意了")
    assert agreement(archive_api, seller, buyers[0]) == "Agree"
    assert agreement(archive_api, seller, buyers[1]) == "Disagree"
    sandbox.people.disagrees_to_archiving(buyers[0], seller)
    assert sandbox.people.customer_says(buyers[0], seller, "不同意了") == ""

    kinds = [row["plain"]["msgtype"] for row in pull(sandbox)]
    assert kinds == ["text", "agree", "text", "disagree"]
    agreed = pull(sandbox)[1]["plain"]
    assert agreed["agree"] == {"userid": buyers[0], "agree_time": agreed["msgtime"]}


def test_agreement_is_told_and_brings_a_welcome_code(
    sandbox: SandboxServer, receiver: Receiver, seller: str, buyers: list[str]
) -> None:
    sandbox.people.agrees_to_archiving(buyers[0], seller)

    assert sandbox.callbacks.drain()
    notified, approved = receiver.events
    assert (notified["Event"], notified["AgentID"]) == ("msgaudit_notify", "2000004")
    assert approved["ChangeType"] == "msg_audit_approved"
    assert (approved["UserID"], approved["ExternalUserID"]) == (seller, buyers[0])
    assert len(approved["WelcomeCode"]) > 20


def test_tells_of_new_messages_every_fifteen_seconds_at_most(
    sandbox: SandboxServer, receiver: Receiver, seller: str, buyers: list[str]
) -> None:
    for number in range(4):
        sandbox.people.staff_says(seller, buyers[0], str(number))
    assert sandbox.callbacks.drain()
    assert len(receiver.events) == 1

    sandbox.clock.advance(60)
    assert sandbox.callbacks.drain()
    assert len(receiver.events) == 2
    first, second = (int(event["CreateTime"]) for event in receiver.events)
    assert 14 <= second - first <= 20


def test_members_out_of_scope_are_not_heard(
    sandbox: SandboxServer, archive_api: Api, seller: str, buyers: list[str]
) -> None:
    assert seller in archive_api.ok("msgaudit/get_permit_user_list")["ids"]
    sandbox.people.set_archived(seller, enabled=False)

    assert sandbox.people.staff_says(seller, buyers[0], "悄悄话") == ""
    assert sandbox.people.customer_says(buyers[0], seller, "嗯") == ""
    assert pull(sandbox) == []
    assert seller not in archive_api.ok("msgaudit/get_permit_user_list")["ids"]


def test_a_recall_names_what_it_takes_back(
    sandbox: SandboxServer, seller: str, buyers: list[str]
) -> None:
    said = sandbox.people.staff_says(seller, buyers[0], "说错了")
    sandbox.people.recall_message(said)

    recall = pull(sandbox)[1]["plain"]
    assert (recall["action"], recall["msgtype"]) == ("recall", "revoke")
    assert recall["revoke"] == {"pre_msgid": said}
    assert (recall["from"], recall["tolist"]) == (seller, [buyers[0]])
    with pytest.raises(ActRefused, match="nothing archived"):
        sandbox.people.recall_message("m1")


@pytest.mark.parametrize("kind", sorted(SAMPLES))
def test_every_kind_has_a_body(
    sandbox: SandboxServer, seller: str, buyers: list[str], kind: str
) -> None:
    sandbox.people.staff_says(seller, buyers[0], kind=kind)

    (row,) = pull(sandbox)
    assert row["plain"]["msgtype"] == kind
    assert isinstance(row["plain"][body_name(kind)], dict)


def test_takes_a_body_as_it_is_given(
    sandbox: SandboxServer, seller: str, buyers: list[str]
) -> None:
    body = {"content": "x" * 1_000_000}
    sandbox.people.customer_says(buyers[0], seller, kind="text", body=body)

    assert pull(sandbox)[0]["plain"]["text"] == body
    with pytest.raises(ActRefused, match="no message of kind 'dance'"):
        sandbox.people.staff_says(seller, buyers[0], kind="dance")


def test_room_agreements_list_the_outsiders(
    sandbox: SandboxServer, archive_api: Api, seller: str, buyers: list[str]
) -> None:
    chat_id = sandbox.people.chat_create(seller, "宝妈群", buyers[:2])
    sandbox.people.disagrees_to_archiving(buyers[1], room=chat_id)

    rows = archive_api.ok("msgaudit/check_room_agree", roomid=chat_id)["agreeinfo"]

    assert {row["exteranalopenid"]: row["agree_status"] for row in rows} == {
        buyers[0]: "Agree",
        buyers[1]: "Disagree",
    }
    assert archive_api.post("msgaudit/check_room_agree", roomid="wrx")["errcode"] == 40050
    assert sandbox.people.customer_says(buyers[1], text="嗯", room=chat_id) == ""
    assert sandbox.people.customer_says(buyers[1], seller, "单聊") != ""


@pytest.mark.parametrize(
    ("changes", "errcode"),
    [
        ({"corpid": "wwx"}, 40013),
        ({"archive_secret": "wrong"}, 40001),
        ({"archive_secret": ""}, 41004),
        ({"limit": 1001}, 301058),
        ({"limit": 0}, 40058),
        ({"seq": -1}, 40058),
        ({"seq": "x"}, 40058),
    ],
)
def test_refuses_pulls_that_make_no_sense(
    sandbox: SandboxServer, changes: dict[str, Any], errcode: int
) -> None:
    assert ask(sandbox, **changes)["errcode"] == errcode


def test_answers_agreements_of_a_hundred_known_pairs(
    archive_api: Api, seller: str, buyers: list[str]
) -> None:
    path = "msgaudit/check_single_agree"
    pair = {"userid": seller, "exteranalopenid": buyers[0]}

    assert len(archive_api.ok(path, info=[pair] * 100)["agreeinfo"]) == 100
    assert archive_api.post(path, info=[pair] * 101)["errcode"] == 301060
    assert archive_api.post(path, info=[])["errcode"] == 40063
    assert archive_api.post(path, info=["x"])["errcode"] == 40058
    assert archive_api.post(path, info=[pair | {"userid": "nobody"}])["errcode"] == 301061
    assert archive_api.ok(path, info=[pair | {"exteranalopenid": "wmx"}])["agreeinfo"] == []


def test_tokens_open_their_own_doors_only(sandbox: SandboxServer, api: Api) -> None:
    assert api.post("msgaudit/get_permit_user_list")["errcode"] == 48002
    secret = sandbox.credentials.archive_secret
    api.token = api.fetch_token(corpsecret=secret)["access_token"]

    assert api.post("msgaudit/get_permit_user_list")["errcode"] == 0
    assert api.get("department/list")["errcode"] == 48002
    assert api.get("getcallbackip")["errcode"] == 0


def test_an_archive_that_is_off_says_so(
    sandbox: SandboxServer, archive_api: Api, seller: str, buyers: list[str]
) -> None:
    sandbox.options.archive_enabled = False

    assert sandbox.people.staff_says(seller, buyers[0], "无人听") == ""
    assert ask(sandbox)["errcode"] == 301053
    assert archive_api.post("msgaudit/get_permit_user_list")["errcode"] == 301053


def test_faults_strike_the_archive_as_well(
    sandbox: SandboxServer, seller: str, buyers: list[str]
) -> None:
    sandbox.people.staff_says(seller, buyers[0], "一")
    sandbox.faults.fail(PULL, 45009)
    assert ask(sandbox)["errcode"] == 45009
    sandbox.faults.lose_answer(PULL)
    with pytest.raises(requests.ConnectionError):
        ask(sandbox)
    assert len(pull(sandbox)) == 1
    assert sandbox.calls()[PULL] == 3


def test_lies_beside_the_platforms_own_endpoints(sandbox: SandboxServer) -> None:
    root = sandbox.root_url

    assert requests.post(f"{root}cgi-bin/{PULL}", json={}, timeout=5).status_code == 404
    assert requests.get(f"{root}archive/gettoken", timeout=5).status_code == 404
