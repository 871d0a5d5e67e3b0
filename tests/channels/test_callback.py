from base64 import b64encode

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from scrm.channels.models import InboundEvent
from scrm.channels.wecom.crypto import Seal
from scrm.channels.wecom.xml import UnreadableXml, read_xml
from scrm.sandbox.server import SandboxServer
from scrm.tenancy.models import Corp
from tests.channels.conftest import Post, contact_xml, event_xml, post_body
from tests.factories import make_corp

BOMB = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>'


def verify(client: Client, corp_id: str, seal: Seal, **changes: str) -> tuple[int, bytes]:
    echo = seal.encrypt(b"8412737653165433")
    query = {"timestamp": "1", "nonce": "2"}
    query |= {"echostr": echo, "msg_signature": seal.sign(echo, **query)}
    address = reverse("channels:callback", args=[corp_id])
    answer = client.get(address, query_params=query | changes)
    return answer.status_code, answer.content


def test_answers_the_verification_with_the_very_bytes(
    client: Client, corp: Corp, seal: Seal
) -> None:
    assert verify(client, corp.corp_id, seal) == (200, b"8412737653165433")


def test_understands_a_plus_that_became_a_blank(client: Client, corp: Corp, seal: Seal) -> None:
    query = {"timestamp": "1", "nonce": "2"}
    echo = next(e for e in (seal.encrypt(b"1") for _ in range(1000)) if "+" in e)
    query["msg_signature"] = seal.sign(echo, **query)
    address = reverse("channels:callback", args=[corp.corp_id])

    pairs = "&".join(f"{name}={value}" for name, value in query.items())
    answer = client.get(f"{address}?{pairs}&echostr={echo}")

    assert (answer.status_code, answer.content) == (200, b"1")


def test_refuses_a_verification_that_is_forged_or_empty(
    client: Client, corp: Corp, seal: Seal
) -> None:
    assert verify(client, corp.corp_id, seal, msg_signature="0" * 40)[0] == 403
    assert verify(client, corp.corp_id, seal, echostr="")[0] == 400
    assert verify(client, "ww0", seal)[0] == 404


def test_stores_an_event_and_says_success(post: Post, corp: Corp) -> None:
    inner = contact_xml("add_external_contact", "wm7", State="ch_1", WelcomeCode="CODE")

    answer = post(inner)

    assert (answer.status_code, answer.content) == (200, b"success")
    event = InboundEvent.objects.get()
    assert (event.corp, event.body, event.status) == (corp, inner, "received")
    assert (event.event, event.change_type) == ("change_external_contact", "add_external_contact")
    assert event.order_key == "customer:wm7"
    assert event.happened_at
    assert event.happened_at.timestamp() == 1700000000


def test_the_answer_says_its_length_and_speaks_to_a_machine(post: Post) -> None:
    answer = post(contact_xml("edit_external_contact", "wm1"))

    # Without it the server would send the answer in chunks.
    assert answer.headers["Content-Length"] == "7"
    assert "X-Request-Id" in answer.headers
    # What is for people is passed by.
    assert "Content-Language" not in answer.headers
    assert "X-Frame-Options" not in answer.headers


def test_needs_one_statement(post: Post, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    post(contact_xml("edit_external_contact", "wm1"))

    with django_assert_num_queries(1):
        post(contact_xml("edit_external_contact", "wm2"))


def test_stores_a_repeated_event_once(post: Post) -> None:
    for nonce in ("a", "b", "c", "d"):
        assert (
            post(contact_xml("del_follow_user"), nonce=nonce, msg_signature="").status_code == 403
        )
        assert post(contact_xml("del_follow_user")).status_code == 200

    assert InboundEvent.objects.count() == 1


def test_keeps_two_customers_of_one_second_apart(post: Post) -> None:
    post(contact_xml("add_external_contact", "wm1"))
    post(contact_xml("add_external_contact", "wm2"))

    assert InboundEvent.objects.count() == 2


def test_keeps_the_same_event_of_two_corps_apart(post: Post, client: Client) -> None:
    inner = contact_xml("edit_external_contact")
    other = make_corp()
    seal = Seal(other.callback_token, other.callback_aes_key, other.corp_id)
    encrypted = seal.encrypt(inner.encode())
    query = {"timestamp": "1", "nonce": "2"}
    query["msg_signature"] = seal.sign(encrypted, **query)

    post(inner)
    body = f"<xml><Encrypt>{encrypted}</Encrypt></xml>".encode()
    assert post_body(client, other.corp_id, body, **query).status_code == 200

    assert InboundEvent.objects.filter(corp=other).count() == 1
    assert InboundEvent.objects.count() == 2


@pytest.mark.parametrize(
    "change",
    [{"msg_signature": "0" * 40}, {"timestamp": "1"}, {"nonce": "x"}, {"msg_signature": ""}],
)
def test_refuses_a_forged_event_and_stores_nothing(post: Post, change: dict[str, str]) -> None:
    assert post(contact_xml("edit_external_contact"), **change).status_code == 403
    assert not InboundEvent.objects.exists()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"garbage",
        b"{}",
        b"<xml>",
        b"<xml></xml>",
        b"<xml><Encrypt></Encrypt></xml>",
        b"<xml><Encrypt><a>1</a></Encrypt></xml>",
        b"<other><Encrypt>QUJD</Encrypt></other>",
        b"\xff\xfe\x00",
        f"{BOMB}<xml><Encrypt>&b;</Encrypt></xml>".encode(),
        b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><xml><Encrypt>QUJD</Encrypt></xml>',
    ],
)
def test_calls_garbage_malformed(client: Client, corp: Corp, body: bytes) -> None:
    answer = post_body(client, corp.corp_id, body, msg_signature="x", timestamp="1", nonce="2")

    assert answer.status_code == 400
    assert not InboundEvent.objects.exists()


def test_calls_a_good_signature_around_garbage_malformed(
    client: Client, corp: Corp, seal: Seal
) -> None:
    encrypted = b64encode(b"0" * 64).decode()
    query = {"timestamp": "1", "nonce": "2"}
    query["msg_signature"] = seal.sign(encrypted, **query)

    body = f"<xml><Encrypt>{encrypted}</Encrypt></xml>".encode()

    assert post_body(client, corp.corp_id, body, **query).status_code == 400
    assert not InboundEvent.objects.exists()


def test_knows_only_its_own_corps(client: Client, db: None) -> None:
    assert post_body(client, "ww0", b"<xml></xml>").status_code == 404
    assert client.post("/wecom/callback/%00/", b"", content_type="text/xml").status_code == 404


def test_needs_no_slash_at_the_end(client: Client, corp: Corp) -> None:
    address = f"/wecom/callback/{corp.corp_id}"

    assert client.post(address, b"garbage", content_type="text/xml").status_code == 400


def test_refuses_more_than_a_megabyte(client: Client, corp: Corp, post: Post) -> None:
    body = b"<xml>" + b" " * 1_000_000 + b"</xml>"

    assert post_body(client, corp.corp_id, body).status_code == 413
    assert post(b"x" * 800_000).status_code == 413


@pytest.mark.parametrize(
    "inner",
    [
        b"not xml",
        b"",
        b"\xff\x00\xfe",
        b"<xml></xml>",
        f"{BOMB}<xml><Event>&b;</Event></xml>".encode(),
        contact_xml("add_external_contact", "").encode(),
    ],
)
def test_keeps_a_good_seal_around_nonsense_with_the_reason(post: Post, inner: bytes) -> None:
    assert post(inner).status_code == 200

    event = InboundEvent.objects.get()
    assert event.status == "ignored"
    assert event.error


def test_ignores_events_that_nobody_knows(post: Post) -> None:
    post(event_xml("customer_acquisition", "balance_low"))
    post(contact_xml("change_of_the_future"))
    post(event_xml("kf_msg_or_event", Token="t"))

    assert set(InboundEvent.objects.values_list("status", flat=True)) == {"ignored"}


def test_takes_the_old_token_no_more_once_it_was_changed(
    post: Post, corp: Corp, seal: Seal
) -> None:
    assert post(contact_xml("edit_external_contact", "wm1")).status_code == 200
    corp.callback_token = seal.token[::-1]
    corp.save(update_fields=["callback_token"])

    assert post(contact_xml("edit_external_contact", "wm2")).status_code == 403
    assert InboundEvent.objects.count() == 1


def test_takes_the_new_token_at_once(post: Post, corp: Corp, client: Client, seal: Seal) -> None:
    post(contact_xml("edit_external_contact", "wm1"))
    corp.callback_token = seal.token[::-1]
    corp.save(update_fields=["callback_token"])
    new = Seal(corp.callback_token, seal.aes_key, seal.receive_id)
    encrypted = new.encrypt(contact_xml("edit_external_contact", "wm2").encode())
    query = {"timestamp": "1", "nonce": "2"}
    query["msg_signature"] = new.sign(encrypted, **query)

    body = f"<xml><Encrypt>{encrypted}</Encrypt></xml>".encode()

    assert post_body(client, corp.corp_id, body, **query).status_code == 200
    assert InboundEvent.objects.count() == 2


def test_takes_events_of_the_sandbox(brand: Corp, sandbox: SandboxServer, client: Client) -> None:
    def receive(query: dict[str, str], body: bytes) -> int:
        status: int = post_body(client, brand.corp_id, body, **query).status_code
        return status

    sandbox.callbacks.configure(receive)
    userid = next(m.userid for m in sandbox.world.present_members() if m.can_follow)

    external_userid = sandbox.people.add_customer(userid, {"name": "Newcomer"}, state="ch_1")
    sandbox.people.customer_deletes(external_userid, userid)

    kinds = InboundEvent.objects.order_by("id").values_list("change_type", "order_key")
    subject = f"customer:{external_userid}"
    assert list(kinds) == [("add_external_contact", subject), ("del_follow_user", subject)]


def test_reads_repeated_elements_as_a_list() -> None:
    xml = b"<xml><A>1</A><B><Item>x</Item><Item>y</Item></B><C></C></xml>"

    assert read_xml(xml) == {"A": "1", "B": {"Item": ["x", "y"]}, "C": None}


@pytest.mark.parametrize("inner", [b"<xml>\x00</xml>", b"\xef\xbb\xbf", b"<xml a='1'>t</xml>"])
def test_reads_no_more_than_xml(inner: bytes) -> None:
    with pytest.raises(UnreadableXml):
        read_xml(inner + b"<")
