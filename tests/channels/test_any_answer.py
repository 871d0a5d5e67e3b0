"""Whatever the platform answers, a call ends with a record or a `ChannelError`: never a traceback."""

import ast
import json
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scrm.channels import kinds
from scrm.channels.actions.outbox import enqueue_operation, run_due_operations
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
from scrm.channels.wecom.client import client_of
from scrm.channels.wecom.tokens import Grant, SharedTokens
from scrm.tenancy.models import Corp
from tests.channels.calls import CALLS, methods_of_a_channel
from tests.factories import NOW

CLIENT = Path(__file__).resolve().parents[2] / "scrm" / "channels" / "wecom"
FIELD = re.compile(r"[a-z][a-z_]{1,30}")
HELPERS = {
    "access": ("tokens", "client"),
    "media": ("files",),
    "groups": ("groups", "join_codes"),
    "handover": ("transfers",),
    "messages": ("messages", "lost_messages"),
}


@cache
def field_names(*modules: str) -> list[str]:
    """What the client looks for in answers: the words that its modules spell."""
    trees = (ast.parse((CLIENT / f"{module}.py").read_text()) for module in modules)
    words = {
        node.value
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    return sorted(word for word in words if FIELD.fullmatch(word))


def names_for(call: str) -> list[str]:
    """The fields that the group of a call reads, in its own module and those that help it."""
    group = call.partition(".")[0]
    names = field_names("parsing", *HELPERS.get(group, (group,)))
    return [*names, "errcode", "errmsg", "next_cursor"]


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
SENTENCES = [
    b"",
    b"<html>Bad Gateway</html>",
    b"null",
    b"[]",
    b'"ok"',
    b"{",
    b"{}",
    b'{"errcode": 1e400}',
    b'{"errcode": NaN}',
    b'{"errcode": "x", "errmsg": {}}',
    b'{"errcode": [40001]}',
    b'{"errcode":' + b"9" * 4500 + b"}",
    b"[" * 5_000,
    b'{"errmsg": "\\ud83d\\u0000", "errcode": 40058}',
    "错误".encode("gb18030"),
]


@cache
def bodies(call: str) -> st.SearchStrategy[bytes]:
    """What may come instead of the answer to a call: its own fields, in any order and type."""
    names = st.sampled_from(names_for(call))
    inner = st.recursive(
        SCALARS,
        lambda one: st.lists(one, max_size=3) | st.dictionaries(names, one, max_size=6),
        max_leaves=15,
    )
    fields = st.dictionaries(names, inner, max_size=8)
    answers = st.one_of(
        fields,
        fields.map(lambda body: body | {"errcode": 0}),
        st.builds(lambda body, errcode: body | {"errcode": errcode}, fields, ERRCODES),
        inner,
    )
    written = answers.map(lambda answer: json.dumps(answer).encode())
    return st.one_of(written, st.binary(max_size=60), st.sampled_from(SENTENCES))


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
        self.headers: dict[str, str] = {}

    def __call__(self, *_: object, **__: object) -> requests.Response:
        response = requests.Response()
        response.status_code, response._content = self.status, self.body
        response.headers.update({"Content-Type": "application/json"} | self.headers)
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


def test_every_method_of_a_channel_is_called_here() -> None:
    assert {name.partition(" ")[0] for name in CALLS} == methods_of_a_channel()


@pytest.mark.parametrize("name", CALLS)
@fuzzed
@given(data=st.data(), status=STATUSES)
def test_every_call_ends_with_a_record_or_a_channel_error(
    corp: Corp, platform: Platform, name: str, data: st.DataObject, status: int
) -> None:
    platform.status, platform.body = status, data.draw(bodies(name))

    error = refusal_of(lambda: CALLS[name](open_channel(corp)))

    assert error is None or error.detail
    assert error is None or error.errcode is None or abs(error.errcode) < 2**31


@pytest.mark.parametrize("name", [name for name in CALLS if name != "media.picture"])
@pytest.mark.parametrize("body", [b"{}", b"<html>Bad Gateway</html>", b"[]", b'{"errmsg": "ok"}'])
def test_what_is_not_the_platforms_is_never_taken_for_nothing(
    corp: Corp, platform: Platform, name: str, body: bytes
) -> None:
    """“{}” does not mean that there are no tags."""
    platform.body = body

    with pytest.raises(ChannelError):
        CALLS[name](open_channel(corp))


@pytest.mark.parametrize("name", CALLS)
def test_an_unknown_code_is_a_refusal_with_the_code(
    corp: Corp, platform: Platform, name: str
) -> None:
    platform.body = b'{"errcode": 999999, "errmsg": "who knows"}'

    error = refusal_of(lambda: CALLS[name](open_channel(corp)))

    assert error
    assert name == "media.picture" or (error.errcode == 999999 and "who knows" in error.detail)


@fuzzed
@given(disposition=st.text(min_size=1) | st.text().map("attachment; filename*={}".format))
def test_a_file_may_have_any_name(corp: Corp, platform: Platform, disposition: str) -> None:
    platform.body, platform.headers = b"content", {"Content-Disposition": disposition}

    assert open_channel(corp).media.download("m1").content == b"content"


@fuzzed
@given(body=bodies("access"), status=STATUSES)
def test_every_token_is_one_or_a_channel_error(
    corp: Corp, platform: Platform, body: bytes, status: int
) -> None:
    platform.status, platform.body = status, body
    client = client_of(corp, corp.secret)
    grants: list[Grant] = []

    error = refusal_of(lambda: grants.append(client._grant()))

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
GROUPS_OF_KINDS = {
    TAG_CUSTOMER: "tags",
    ADD_TAGS: "tags",
    EDIT_TAG: "tags",
    DELETE_TAGS: "tags",
    ASK_MASS_MESSAGE: "messages",
    REMIND_MASS_MESSAGE: "messages",
    CANCEL_MASS_MESSAGE: "messages",
    TRANSFER_CUSTOMERS: "handover",
    TRANSFER_CHATS: "handover",
    CHANGE_REMARK: "contacts",
    CREATE_JOIN_CODE: "groups",
    UPDATE_JOIN_CODE: "groups",
    DELETE_JOIN_CODE: "groups",
    SEND_APP_MESSAGE: "staff_messages",
}
ENDINGS = {"succeeded", "failed", "parked", "cancelled", "pending", "unknown"}


@pytest.mark.parametrize("kind", OPERATIONS)
@fuzzed
@given(data=st.data(), status=STATUSES)
def test_every_operation_ends_with_a_reason(
    corp: Corp,
    platform: Platform,
    caplog: pytest.LogCaptureFixture,
    kind: str,
    data: st.DataObject,
    status: int,
) -> None:
    platform.status, platform.body = status, data.draw(bodies(GROUPS_OF_KINDS[kind]))
    # The examples share a database; what one is told must not keep the next from asking.
    Operation.objects.all().delete()
    # An example that ran into a limit must not keep the next ones from being asked.
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
