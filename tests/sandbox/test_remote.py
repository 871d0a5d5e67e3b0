import inspect
from collections.abc import Iterator

import pytest
import requests

from scrm.sandbox.faults import Faults
from scrm.sandbox.people import People
from scrm.sandbox.people.acting import ACTS
from scrm.sandbox.remote import RemoteFaults, SandboxRefused, SandboxRemote
from scrm.sandbox.remote_people import RemotePeople
from scrm.sandbox.server import SandboxServer
from tests.sandbox.client import Api, Receiver


@pytest.fixture
def remote(sandbox: SandboxServer) -> Iterator[SandboxRemote]:
    remote = SandboxRemote(sandbox.control_url)
    yield remote
    remote.close()


def names(cls: type) -> set[str]:
    return {name for name, _ in inspect.getmembers(cls, inspect.isfunction) if name[0] != "_"}


def test_offers_every_act_and_fault_with_the_same_parameters() -> None:
    for here, there, chosen in [
        (People, RemotePeople, ACTS),
        (Faults, RemoteFaults, names(Faults) - {"take"}),
    ]:
        assert names(there) == chosen
        for name in chosen:
            assert inspect.signature(getattr(here, name)) == inspect.signature(getattr(there, name))


def test_acts_and_counts_from_outside(
    remote: SandboxRemote, sandbox: SandboxServer, api: Api, seller: str
) -> None:
    external_userid = remote.people.add_customer(seller, {"name": "小满妈"}, state="store_010")
    msgid = api.ok(
        "externalcontact/add_msg_template",
        sender=seller,
        text={"content": "新品"},
        external_userid=[external_userid],
    )["msgid"]

    outcome = remote.people.confirm(msgid, seller)

    assert outcome == {"delivered": 1, "not_friend": 0, "quota": 0}
    assert remote.campaign([msgid]) == sandbox.campaign([msgid])
    assert remote.summary() == sandbox.summary()
    assert remote.entries() == sandbox.entries()
    assert remote.entries("message", after=2) == sandbox.entries("message", after=2)
    assert remote.calls() == sandbox.calls()


def test_gives_the_same_accounts_from_outside(
    remote: SandboxRemote, sandbox: SandboxServer, api: Api, seller: str, buyers: list[str]
) -> None:
    tag_id = next(iter(sandbox.world.tags.tags))
    pair = {"userid": seller, "external_userid": buyers[0]}
    api.ok("externalcontact/mark_tag", **pair, add_tag=[tag_id])
    text = {"content": "新品上市，人人有份"}
    asked = {"sender": seller, "external_userid": buyers[:3]}
    msgid = api.ok("externalcontact/add_msg_template", **asked, text=text)["msgid"]
    remote.people.confirm(msgid, seller)
    remote.people.staff_says(seller, buyers[0], "您好")
    remote.people.customer_says(buyers[0], seller, kind="image")
    remote.people.set_capacity(seller, None)
    remote.people.rotate_archive_key()

    assert remote.tagging() == {tag_id: {"added": [buyers[0]], "removed": []}}
    assert remote.texts("人人有份") == {"messages": 1, "recipients": 3, "delivered": 3}
    assert remote.texts("包治百病") == {"messages": 0, "recipients": 0, "delivered": 0}
    assert remote.archive()["by_kind"] == {"text": 1, "image": 1}
    assert remote.archive_keys() == sandbox.archive_keys()
    assert set(remote.archive_keys()) == {1, 2}
    assert remote.groups() == sandbox.groups()
    assert remote.handover(seller) == sandbox.handover(seller)
    assert remote.app_messages() == {"messages": 0, "told": 0, "by_text": {}}
    with pytest.raises(SandboxRefused, match="userid"):
        remote._wire.get("summary/handover")
    with pytest.raises(SandboxRefused, match="there is no 'weather'"):
        remote._wire.get("summary/weather")


def test_reads_ledgers_longer_than_a_page(remote: SandboxRemote, sandbox: SandboxServer) -> None:
    for number in range(1001):
        sandbox.ledger.append("test.entry", number=number)

    assert len(remote.entries("test")) == 1001


def test_lists_what_can_be_acted_upon(remote: SandboxRemote, sandbox: SandboxServer) -> None:
    assert len(remote.members()) == 8
    assert len(remote.chats()) == 5
    assert len(remote.tags()) == 33
    assert len(remote.customers(limit=7)) == 7
    member = remote.customers(limit=1)[0]["userid"]
    own = remote.customers(userid=member, limit=1000)
    assert len(own) == len(sandbox.world.customers_of(member))
    assert remote.messages() == []


def test_tells_its_credentials_and_addresses(remote: SandboxRemote, sandbox: SandboxServer) -> None:
    assert remote.is_ready()
    assert remote.credentials == sandbox.credentials
    assert remote.base_url == sandbox.base_url
    assert f"--base-url {sandbox.base_url}" in remote.state()["create_corp"]


def test_is_not_ready_where_nothing_listens() -> None:
    assert not SandboxRemote("http://127.0.0.1:9/sandbox/").is_ready()


def test_moves_the_clock(remote: SandboxRemote, sandbox: SandboxServer) -> None:
    before = sandbox.clock.now()

    after = remote.clock.advance(3600)

    assert 3600 <= after - before < 3605
    assert abs(remote.clock.now() - after) < 5
    assert abs(remote.clock.set(before) - before) < 5


def test_orders_faults_and_options(remote: SandboxRemote, api: Api) -> None:
    remote.faults.fail("department/list", 45033)
    assert api.get("department/list")["errcode"] == 45033

    assert remote.set_options(quota_mode="day", dispatch_seconds=5)["quota_mode"] == "day"
    with pytest.raises(SandboxRefused, match="no option 'colour'"):
        remote.set_options(colour="red")


def test_configures_verifies_and_drains_callbacks(
    remote: SandboxRemote, sandbox: SandboxServer, seller: str
) -> None:
    with Receiver(sandbox.credentials) as receiver:
        remote.callbacks.configure(receiver.url)
        assert remote.callbacks.verify()["ok"] is True
        remote.people.add_customer(seller)
        assert remote.callbacks.drain()
        assert len(receiver.events) == 1


def test_refuses_nonsense_with_a_reason(remote: SandboxRemote, sandbox: SandboxServer) -> None:
    with pytest.raises(SandboxRefused, match="no member 'nobody'"):
        remote.people.add_customer("nobody")
    url = sandbox.control_url
    assert requests.post(f"{url}acts/dance", json={}, timeout=5).status_code == 400
    assert requests.post(f"{url}acts/confirm", json={"x": 1}, timeout=5).status_code == 400
    assert requests.post(f"{url}acts/confirm", data=b"{", timeout=5).status_code == 400
    assert requests.get(f"{url}acts/confirm", timeout=5).status_code == 405
    assert requests.get(f"{url}nothing", timeout=5).status_code == 404
    assert requests.get(f"{url}ledger?after=x", timeout=5).status_code == 400


def test_shows_a_page_to_people(sandbox: SandboxServer, seller: str) -> None:
    sandbox.people.add_customer(seller, state="<script>")

    page = requests.get(sandbox.root_url, timeout=5)

    assert page.headers["Content-Type"].startswith("text/html")
    assert "contact.added" in page.text
    assert sandbox.credentials.corp_id in page.text
    assert "<script>" not in page.text
    assert "src=" not in page.text
    assert "href=" not in page.text
