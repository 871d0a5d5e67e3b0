"""Whatever the platform answers, a call ends with a record or a `ChannelError`: never a traceback."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scrm.channels import kinds
from scrm.channels.actions.outbox import enqueue_operation, run_due_operations
from scrm.channels.base import Channel, JoinCodeWish, MassMessage
from scrm.channels.errors import ChannelError
from scrm.channels.models import EndpointPause, Operation
from scrm.channels.opening import open_channel
from scrm.channels.operations import (
    ASK_MASS_MESSAGE,
    CANCEL_MASS_MESSAGE,
    CHANGE_REMARK,
    CREATE_JOIN_CODE,
    DELETE_JOIN_CODE,
    REMIND_MASS_MESSAGE,
    SEND_APP_MESSAGE,
    TAG_CUSTOMER,
    TRANSFER_CHATS,
    TRANSFER_CUSTOMERS,
    UPDATE_JOIN_CODE,
)
from scrm.channels.tag_operations import ADD_TAGS, DELETE_TAGS, EDIT_TAG
from scrm.channels.wecom.tokens import Grant, SharedTokens
from scrm.tenancy.models import Corp
from tests.factories import NOW

MESSAGE = MassMessage("alice", ("wm1",), "Hello")
TO_CHATS = MassMessage("alice", (), "Hello", chat_ids=("wr1",))
WISH = JoinCodeWish(("wr1",), "state")
CALLS: dict[str, Callable[[Channel], object]] = {
    "departments": lambda channel: channel.departments(),
    "staff": lambda channel: channel.staff([1, 2]),
    "staff_with_customer_contact": lambda channel: channel.staff_with_customer_contact(),
    "tag_groups": lambda channel: channel.tag_groups(),
    "customer_page": lambda channel: channel.customer_page(["alice"], ""),
    "customer": lambda channel: channel.customer("wm1"),
    "group_chat_page": lambda channel: channel.group_chat_page(["alice"], ""),
    "group_chat": lambda channel: channel.group_chat("wr1"),
    "mark_tags": lambda channel: channel.mark_tags("alice", "wm1", add=["et1"], remove=[]),
    "ask_mass_message": lambda channel: channel.ask_mass_message(MESSAGE),
    "find_mass_message": lambda channel: channel.find_mass_message(
        MESSAGE, since=NOW, until=NOW, known=()
    ),
    "find_mass_message to chats": lambda channel: channel.find_mass_message(
        TO_CHATS, since=NOW, until=NOW, known=()
    ),
    "sender_states": lambda channel: channel.sender_states("m1", ""),
    "deliveries": lambda channel: channel.deliveries("m1", "alice", ""),
    "remind": lambda channel: channel.remind("m1"),
    "cancel": lambda channel: channel.cancel("m1"),
    "unassigned_page": lambda channel: channel.unassigned_page(""),
    "transfer_customers": lambda channel: channel.transfer_customers(
        "alice", "bob", ["wm1"], is_resigned=False, message="Hi"
    ),
    "transfer_states": lambda channel: channel.transfer_states(
        "alice", "bob", "", is_resigned=True
    ),
    "transfer_chats": lambda channel: channel.transfer_chats(["wr1"], "bob", is_resigned=True),
    "change_remark": lambda channel: channel.change_remark(
        "alice", "wm1", remark="a", description="b"
    ),
    "create_join_code": lambda channel: channel.create_join_code(WISH),
    "join_code": lambda channel: channel.join_code("c1"),
    "update_join_code": lambda channel: channel.update_join_code("c1", WISH),
    "delete_join_code": lambda channel: channel.delete_join_code("c1"),
    "picture": lambda channel: channel.picture("http://127.0.0.1:9/a.png"),
    "send_app_message": lambda channel: channel.send_app_message(["alice"], "Hello"),
    "upload_media": lambda channel: channel.upload_media("image", "a.png", b"bytes"),
}
NAMES = [
    "errcode", "errmsg", "department", "department_id", "id", "name", "userlist", "userid",
    "follow_user", "tag_group", "tag", "tags", "tag_id", "group_id", "external_contact_list",
    "external_contact", "follow_info", "external_userid", "next_cursor", "group_chat",
    "group_chat_list", "chat_id", "member_list", "invitor", "msgid", "fail_list",
    "group_msg_list", "text", "content", "attachments", "task_list", "send_list", "status",
    "send_time", "info", "is_last", "customer", "failed_chat_list", "config_id", "join_way",
    "qr_code", "chat_id_list", "invaliduser", "createtime", "order", "media_id", "created_at",
]  # fmt: skip
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from([0, 1, 2, 10**30, -(10**30), "0", "9" * 30, "alice", "wm1", "m1", ""]),
)
ERRCODES = st.one_of(
    st.sampled_from([0, -1, 40001, 40014, 45009, 48002, 60020, 84061, 41063, 999999, 10**12]),
    st.integers(),
    SCALARS,
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(NAMES), inner, max_size=6)
    ),
    max_leaves=15,
)
ANSWERS = st.one_of(
    st.dictionaries(st.sampled_from(NAMES), JSON, max_size=8),
    st.builds(
        lambda body, errcode: body | {"errcode": errcode},
        st.dictionaries(st.sampled_from(NAMES), JSON, max_size=6),
        ERRCODES,
    ),
    JSON,
).map(lambda answer: json.dumps(answer).encode())
BODIES = st.one_of(
    ANSWERS,
    st.binary(max_size=60),
    st.sampled_from(
        [
            b"",
            b"<html>Bad Gateway</html>",
            b"null",
            b"[]",
            b'"ok"',
            b"{",
            b'{"errcode": 1e400}',
            b'{"errcode": NaN}',
            b'{"errcode": "x", "errmsg": {}}',
            b'{"errcode": [40001]}',
            b'{"errcode":' + b"9" * 4500 + b"}",
            b"[" * 5_000,
            b'{"errmsg": "\\ud83d\\u0000", "errcode": 40058}',
            "错误".encode("gb18030"),
        ]
    ),
)
STATUSES = st.sampled_from([200, 200, 200, 200, 204, 301, 302, 400, 403, 404, 429, 500, 502, 503])
fuzzed: Callable[..., Any] = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


class Platform:
    """Answers every request with what it is told."""

    def __init__(self) -> None:
        self.status, self.body = 200, b"{}"

    def __call__(self, *_: object, **__: object) -> requests.Response:
        response = requests.Response()
        response.status_code, response._content = self.status, self.body
        response.headers["Content-Type"] = "application/json"
        response.url = "http://127.0.0.1:9/"
        response.raw = _Raw(self.body)
        return response


class _Raw:
    def __init__(self, body: bytes) -> None:
        self._body = body

    def read(self, size: int, **_: object) -> bytes:
        return self._body[:size]

    def close(self) -> None:
        pass

    def release_conn(self) -> None:
        pass


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch) -> Platform:
    """Takes the place of the network; a token is always at hand."""
    platform = Platform()
    monkeypatch.setattr(requests.Session, "request", platform)
    monkeypatch.setattr(requests.Session, "get", platform)
    monkeypatch.setattr(SharedTokens, "current", lambda _self: "token")
    # Who waits for outcomes has rows of its own, which are not here.
    monkeypatch.setattr(kinds, "_listeners", {})
    monkeypatch.setattr(kinds, "_preparations", {})
    monkeypatch.setattr(SharedTokens, "renew", lambda _self, *_args, **_kwargs: "token2")
    return platform


def refusal_of(call: Callable[[], object]) -> ChannelError | None:
    """How a call was refused; whatever else it raises fails the test."""
    try:
        call()
    except ChannelError as error:
        return error
    return None


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
@fuzzed
@given(status=STATUSES, body=BODIES)
def test_every_call_ends_with_a_record_or_a_channel_error(
    corp: Corp, platform: Platform, call: Callable[[Channel], object], status: int, body: bytes
) -> None:
    platform.status, platform.body = status, body

    error = refusal_of(lambda: call(open_channel(corp)))

    assert error is None or error.detail
    assert error is None or error.errcode is None or abs(error.errcode) < 2**31


@fuzzed
@given(body=BODIES, status=STATUSES)
def test_every_token_is_one_or_a_channel_error(
    corp: Corp, platform: Platform, body: bytes, status: int
) -> None:
    platform.status, platform.body = status, body
    client: Any = open_channel(corp)
    grants: list[Grant] = []

    error = refusal_of(lambda: grants.append(client._contact._grant()))

    assert error.detail if error else grants[0].usable_until(NOW) >= NOW


OPERATIONS: dict[str, dict[str, Any]] = {
    TAG_CUSTOMER: {"userid": "alice", "external_userid": "wm1", "add": ["et1"]},
    ADD_TAGS: {"names": ["VIP"], "group_name": "Level"},
    EDIT_TAG: {"id": "et1", "name": "VIP"},
    DELETE_TAGS: {"tag_ids": ["et1"]},
    ASK_MASS_MESSAGE: {"sender": "alice", "external_userids": ["wm1"], "content": "Hello"},
    REMIND_MASS_MESSAGE: {"msgid": "m1"},
    CANCEL_MASS_MESSAGE: {"msgid": "m1"},
    TRANSFER_CUSTOMERS: {
        "from_userid": "alice",
        "to_userid": "bob",
        "external_userids": ["wm1"],
        "is_resigned": False,
    },
    TRANSFER_CHATS: {"chat_ids": ["wr1"], "to_userid": "bob", "is_resigned": False},
    CHANGE_REMARK: {"userid": "alice", "external_userid": "wm1", "remark": "a"},
    CREATE_JOIN_CODE: {"chat_ids": ["wr1"], "state": "s"},
    UPDATE_JOIN_CODE: {"config_id": "c1", "chat_ids": ["wr1"], "state": "s"},
    DELETE_JOIN_CODE: {"config_id": "c1"},
    SEND_APP_MESSAGE: {"userids": ["alice"], "text": "Hello"},
}
ENDINGS = {"succeeded", "failed", "parked", "cancelled", "pending", "unknown"}


@pytest.mark.parametrize("kind", OPERATIONS)
@fuzzed
@given(status=STATUSES, body=BODIES)
def test_every_operation_ends_with_a_reason(
    corp: Corp,
    platform: Platform,
    caplog: pytest.LogCaptureFixture,
    kind: str,
    status: int,
    body: bytes,
) -> None:
    platform.status, platform.body = status, body
    # The examples share a database; what one is told must not keep the next from asking.
    Operation.objects.all().delete()
    # An example that ran into a limit must not keep the next ones from being asked.
    EndpointPause.objects.all().delete()
    EndpointPause.objects.all().delete()
    caplog.clear()
    key = f"{kind}-1"
    enqueue_operation(kind, corp=corp, key=key, payload=OPERATIONS[kind], now=NOW)

    run_due_operations(now=NOW)

    operation = Operation.objects.get()
    assert operation.status in ENDINGS
    assert operation.status == "succeeded" or operation.error
    # What it ends with was foreseen: nothing is logged with a traceback.
    assert [record for record in caplog.records if record.exc_info] == []
