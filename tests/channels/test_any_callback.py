"""Whatever is sent to the callback address is handled, ignored with a reason, or refused: never 5xx."""

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any
from xml.sax.saxutils import escape

import pytest
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scrm.channels.actions.inbox import handle_due_events
from scrm.channels.models import InboundEvent
from scrm.channels.wecom.crypto import Seal
from scrm.channels.wecom.event_forms import FORMS
from scrm.tenancy.models import Corp
from tests.channels.conftest import Post, post_body
from tests.factories import NOW

REFUSALS = {400, 403, 404, 413}
ELEMENTS = [
    "UserID", "ExternalUserID", "State", "WelcomeCode", "Source", "FailReason", "ChatId",
    "UpdateDetail", "JoinScene", "QuitScene", "MemChangeCnt", "MemChangeList", "LastMemVer",
    "CurMemVer", "Id", "TagType", "StrategyId", "LinkId", "ChatKey", "ExpireTime",
    "ExpireQuotaNum", "NewUserID", "Department", "ParentId", "Name", "TagId", "AddUserItems",
    "DelPartyItems", "BatchJob", "JobId", "Token", "OpenKfId", "AuthAddOpenKfId", "EventKey",
    "TaskId", "SelectedItems", "FromUserName", "CreateTime", "MsgType", "Item",
]  # fmt: skip
TEXTS = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=20),
    st.sampled_from(["", "0", "1", "-1", "2", "3", "9" * 18, "9" * 5000, "1e400", "NaN", "0x10"]),
    st.sampled_from(["1700000000", "4102444799", "253402300800", "99999999999999999999"]),
    st.sampled_from(["alice", "ALICE", "wm1", "wr1", "add_member", "del_member", "x" * 65]),
    st.sampled_from(["a,b", ",,,", "1,2,x", "\u202e", "é́", "😀" * 40, "'; --", "%s%s%n"]),
)


def element(name: str, inner: str) -> str:
    return f"<{name}>{inner}</{name}>"


INNER = st.recursive(
    TEXTS.map(escape),
    lambda inner: st.lists(
        st.builds(element, st.sampled_from([*ELEMENTS, "Junk"]), inner), min_size=1, max_size=4
    ).map("".join),
    max_leaves=8,
)
FIELDS = st.lists(st.builds(element, st.sampled_from(ELEMENTS), INNER), max_size=14)


LISTENED = ["change_external_contact", "change_external_chat", "change_external_tag"]
LISTENED += ["change_contact", "msgaudit_notify"]


@st.composite
def known_forms(draw: st.DrawFn, forms: Iterable[tuple[str, str]] = FORMS) -> str:
    """An event of a form we know, with its ids and with junk in place of anything else."""
    event, change = draw(st.sampled_from(sorted(forms)))
    ids = {"UserID": "alice", "ExternalUserID": "wm1", "ChatId": "wr1", "LinkId": "ca1"}
    ids |= {"Id": "1", "TagId": "1", "FromUserName": "alice", "TaskId": "t", "ChatKey": "k"}
    dropped = draw(st.sets(st.sampled_from(sorted(ids)), max_size=1))
    kept = [element(name, value) for name, value in ids.items() if name not in dropped]
    fields = [element("Event", event), element("ChangeType", change), *kept, *draw(FIELDS)]
    return element("xml", "".join(draw(st.permutations(fields))))


WELL_FORMED = "<xml><Event>change_external_chat</Event><ChangeType>update</ChangeType></xml>"
BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]>'
ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "gb18030"]


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """XML with some of its bytes cut out, doubled or replaced."""
    content = draw(known_forms()).encode(draw(st.sampled_from(ENCODINGS)))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(content)))
        end = min(len(content), start + draw(st.integers(0, 12)))
        content = content[:start] + draw(st.binary(max_size=6)) + content[end:]
    return content


CONTENTS = st.one_of(
    known_forms().map(str.encode),
    mutated(),
    st.binary(max_size=200),
    known_forms().map(lambda xml: f"{BOMB}{xml}".replace("alice", "&b;").encode()),
    known_forms().map(lambda xml: f'<?xml version="1.0" encoding="utf-16"?>{xml}'.encode()),
    st.integers(1, 20_000).map(lambda deep: b"<xml>" + b"<a>" * deep + b"</a>" * deep + b"</xml>"),
    st.integers(1, 5_000).map(
        lambda many: b"<xml>" + b"<Event>click</Event>" * many + WELL_FORMED.encode()[5:]
    ),
)
fuzzed: Callable[..., Any] = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@fuzzed
@given(content=CONTENTS)
def test_takes_any_content_under_a_good_seal(post: Post, content: bytes) -> None:
    InboundEvent.objects.all().delete()

    assert post(content).status_code in {200, 413}
    handle_due_events(now=NOW + timedelta(days=36_500))

    for event in InboundEvent.objects.all():
        assert event.status in {"handled", "ignored"}, event.error
        assert (event.status == "ignored") == bool(event.error)


@fuzzed
@given(content=known_forms([form for form in FORMS if form[0] in LISTENED]))
def test_handles_any_form_that_somebody_waits_for(post: Post, content: str) -> None:
    InboundEvent.objects.all().delete()

    assert post(content).status_code == 200
    handle_due_events(now=NOW + timedelta(days=36_500))

    event = InboundEvent.objects.get()
    assert event.status in {"handled", "ignored"}, event.error


@fuzzed
@given(body=st.one_of(CONTENTS, st.just(b"")), query=st.dictionaries(
    st.sampled_from(["msg_signature", "timestamp", "nonce", "echostr", "x"]), TEXTS, max_size=4
))  # fmt: skip
def test_refuses_any_body_that_is_not_sealed(
    client: Client, corp: Corp, body: bytes, query: dict[str, str]
) -> None:
    assert post_body(client, corp.corp_id, body, **query).status_code in REFUSALS
    answer = client.get(f"/wecom/callback/{corp.corp_id}/", query_params=query)
    assert answer.status_code in REFUSALS
    assert not InboundEvent.objects.exists()


@fuzzed
@given(encrypted=st.one_of(TEXTS, st.binary(max_size=200).map(bytes.hex)), nonce=TEXTS)
def test_refuses_any_message_that_only_carries_a_good_signature(
    client: Client, corp: Corp, seal: Seal, encrypted: str, nonce: str
) -> None:
    query = {"timestamp": "1", "nonce": nonce}
    query["msg_signature"] = seal.sign(encrypted, **query)
    body = f"<xml><Encrypt>{escape(encrypted)}</Encrypt></xml>".encode()

    assert post_body(client, corp.corp_id, body, **query).status_code in REFUSALS
    assert not InboundEvent.objects.exists()


@pytest.mark.parametrize("receive_id", ["", "ww0", "x" * 500])
def test_refuses_what_is_sealed_for_another_corp(
    client: Client, corp: Corp, seal: Seal, receive_id: str
) -> None:
    other = Seal(seal.token, seal.aes_key, receive_id)
    encrypted = other.encrypt(WELL_FORMED.encode())
    query = {"timestamp": "1", "nonce": "2"}
    query["msg_signature"] = other.sign(encrypted, **query)
    body = f"<xml><Encrypt>{encrypted}</Encrypt></xml>".encode()

    assert post_body(client, corp.corp_id, body, **query).status_code == 400
    assert not InboundEvent.objects.exists()
