"""Whatever is sent to the callback address is handled, ignored with a reason, or refused: never 5xx."""

from base64 import b64encode
from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlencode
from xml.sax.saxutils import escape

import pytest
from django.test import Client
from django.urls import reverse
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
fuzzed = settings(
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


@st.composite
def repeated(draw: st.DrawFn) -> str:
    """A query whose parameters come several times, bare, empty or not encoded as they should be."""
    names = st.sampled_from(["msg_signature", "timestamp", "nonce", "echostr", "", "x[]"])
    values = st.one_of(TEXTS.map(quote), st.sampled_from(["%", "%zz", "%00", "%ff", "+", "&", "="]))
    pairs = draw(st.lists(st.tuples(names, values), max_size=8))
    return "&".join(draw(st.sampled_from([f"{name}={value}", name])) for name, value in pairs)


@st.composite
def requests(draw: st.DrawFn) -> dict[str, Any]:
    """What the test client makes a request of: any method, query, kind and announced length."""
    methods = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "X"]
    lengths = [None, "", "-1", "x", "1e9", "9" * 30, "²"]
    kinds = ["text/xml", "", "multipart/form-data", "application/json; q=é"]
    length = draw(st.sampled_from(lengths))
    return {
        "method": draw(st.sampled_from(methods)),
        "data": draw(CONTENTS),
        "content_type": draw(st.sampled_from(kinds)),
        "QUERY_STRING": draw(repeated()),
        **({} if length is None else {"CONTENT_LENGTH": length}),
    }


@fuzzed
@given(
    asked=requests(),
    name=st.sampled_from(["", "ww0", "x" * 300, "%00", "%ff", "..%2f", "企业"]),
)
def test_refuses_any_request_that_was_not_asked_for(
    client: Client, corp: Corp, asked: dict[str, Any], name: str
) -> None:
    answer = client.generic(path=f"/wecom/callback/{name or corp.corp_id}/", **asked)

    assert answer.status_code in REFUSALS | {405}, (answer.status_code, answer.content)
    assert not InboundEvent.objects.exists()


@fuzzed
@given(
    content=CONTENTS, again=st.sampled_from(["msg_signature", "timestamp", "nonce"]), other=TEXTS
)
def test_of_repeated_parameters_the_signed_ones_must_be_the_last(
    client: Client, corp: Corp, seal: Seal, content: bytes, again: str, other: str
) -> None:
    InboundEvent.objects.all().delete()
    encrypted = seal.encrypt(content)
    query = {"timestamp": "1", "nonce": "2"}
    query["msg_signature"] = seal.sign(encrypted, **query)
    body = f"<xml><Encrypt>{encrypted}</Encrypt></xml>".encode()
    address = reverse("channels:callback", args=[corp.corp_id])
    first, last = [(again, other), *query.items()], [*query.items(), (again, other)]

    refused = client.generic("POST", f"{address}?{urlencode(last)}", body, "text/xml")
    assert refused.status_code == (200 if query[again] == other else 403)
    taken = client.generic("POST", f"{address}?{urlencode(first)}", body, "text/xml")
    assert taken.status_code == 200
    assert InboundEvent.objects.count() == 1


@fuzzed
@given(
    encrypted=st.one_of(
        st.binary(min_size=32, max_size=200).map(lambda raw: b64encode(raw[: len(raw) // 16 * 16])),
        st.binary(max_size=100).map(b64encode),
    ),
    copies=st.integers(1, 3),
)
def test_refuses_any_cipher_under_a_good_signature(
    client: Client, corp: Corp, seal: Seal, encrypted: bytes, copies: int
) -> None:
    text = encrypted.decode()
    query = {"timestamp": "1", "nonce": "2"}
    query["msg_signature"] = seal.sign(text, **query)
    body = f"<xml>{element('Encrypt', text) * copies}</xml>".encode()

    assert post_body(client, corp.corp_id, body, **query).status_code == 400
    assert not InboundEvent.objects.exists()


@settings(fuzzed, max_examples=15)
@given(
    size=st.integers(900_000, 1_100_000),
    fill=st.sampled_from([b" ", b"<a>", b"\x00", b"&", b"]]>"]),
)
def test_refuses_any_huge_body(client: Client, corp: Corp, size: int, fill: bytes) -> None:
    body = b"<xml>" + (fill * (size // len(fill)))

    assert post_body(client, corp.corp_id, body).status_code in {400, 413}


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
