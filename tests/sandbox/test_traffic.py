import threading
from collections.abc import Callable
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter

from scrm.sandbox.server import SandboxServer
from tests.sandbox.client import Api

LIST, MARK, REMARK = "department/list", "externalcontact/mark_tag", "externalcontact/remark"
TRANSFER = "externalcontact/transfer_customer"


class From(HTTPAdapter):
    """Calls from another address of this machine."""

    def __init__(self, ip: str) -> None:
        self.ip = ip
        super().__init__()

    def init_poolmanager(self, *args: Any, **more: Any) -> None:
        super().init_poolmanager(*args, source_address=(self.ip, 0), **more)


def come_from(api: Api, ip: str) -> None:
    api.session.mount("http://", From(ip))


def together(*calls: Callable[[], dict[str, Any]]) -> list[int]:
    """Return the errcodes of calls made at the same time, in their order."""
    codes = [0] * len(calls)

    def note(place: int) -> None:
        codes[place] = calls[place]()["errcode"]

    threads = [threading.Thread(target=note, args=(place,)) for place in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return codes


def test_whoever_exceeds_a_minute_waits_a_minute(api: Api, sandbox: SandboxServer) -> None:
    sandbox.options.calls_per_minute = 2
    sandbox.clock.advance(1)
    assert [api.get(LIST)["errcode"] for _ in range(2)] == [0, 0]
    sandbox.clock.advance(50)
    assert api.get(LIST)["errcode"] == 45009

    sandbox.clock.advance(55)
    assert api.get(LIST)["errcode"] == 45009
    sandbox.clock.advance(6)
    assert api.get(LIST)["errcode"] == 0


def test_whoever_exceeds_an_hour_waits_an_hour(api: Api, sandbox: SandboxServer) -> None:
    sandbox.options.calls_per_hour = 2

    assert [api.get(LIST)["errcode"] for _ in range(3)] == [0, 0, 45009]
    sandbox.clock.advance(3500)
    assert api.get(LIST)["errcode"] == 45009
    assert api.get("department/simplelist")["errcode"] == 0
    sandbox.clock.advance(101)
    assert api.get(LIST)["errcode"] == 0


@pytest.mark.parametrize("option", ["ip_calls_per_minute", "ip_calls_per_hour"])
def test_counts_each_address_for_itself(api: Api, sandbox: SandboxServer, option: str) -> None:
    setattr(sandbox.options, option, 1)
    assert [api.get(LIST)["errcode"] for _ in range(2)] == [0, 45009]

    come_from(api, "127.0.0.2")
    assert api.get(LIST)["errcode"] == 0


def test_the_documented_limits_are_the_defaults(sandbox: SandboxServer) -> None:
    options = sandbox.options

    assert (options.calls_per_minute, options.calls_per_hour) == (10_000, 150_000)
    assert (options.ip_calls_per_minute, options.ip_calls_per_hour) == (20_000, 600_000)
    assert options.debug_calls_per_minute == 5


def test_debugging_is_for_five_calls_a_minute(api: Api, sandbox: SandboxServer) -> None:
    assert [api.get(LIST, debug=1)["errcode"] for _ in range(6)] == [0] * 5 + [45009]
    assert api.get(LIST)["errcode"] == 0
    sandbox.clock.advance(60)
    assert api.get(LIST, debug=1)["errcode"] == 0


def test_wrong_secrets_close_the_door_to_their_address(api: Api, sandbox: SandboxServer) -> None:
    sandbox.options.wrong_secrets_before_block = 3
    codes = [api.fetch_token(corpsecret="wrong")["errcode"] for _ in range(4)]
    assert codes == [40001, 40001, 40001, 45009]

    assert api.fetch_token()["errcode"] == 45009
    assert api.get(LIST)["errcode"] == 45009
    come_from(api, "127.0.0.2")
    assert api.get(LIST)["errcode"] == 0
    come_from(api, "127.0.0.1")
    sandbox.clock.advance(3601)
    assert api.fetch_token()["errcode"] == 0
    (entry,) = sandbox.entries("door.blocked")
    assert entry.data["ip"] == "127.0.0.1"


def test_trusts_listed_addresses_a_minute_after_they_were_listed(
    api: Api, sandbox: SandboxServer
) -> None:
    sandbox.people.set_trusted_ips(["127.0.0.2"])
    assert api.get(LIST)["errcode"] == 0
    sandbox.clock.advance(61)

    assert api.get(LIST)["errcode"] == 60020
    assert api.fetch_token()["errcode"] == 60020
    api.token += "x"
    assert api.get(LIST)["errcode"] == 40014
    api.token = api.token[:-1]
    come_from(api, "127.0.0.2")
    assert api.get(LIST)["errcode"] == 0
    sandbox.people.set_trusted_ips([])
    sandbox.clock.advance(61)
    come_from(api, "127.0.0.1")
    assert api.get(LIST)["errcode"] == 0


def test_the_archive_has_a_list_of_its_own(api: Api, sandbox: SandboxServer) -> None:
    sandbox.people.set_trusted_ips(["127.0.0.2"], archive=True)
    sandbox.clock.advance(61)
    credentials = sandbox.credentials
    body = {"corpid": credentials.corp_id, "archive_secret": credentials.archive_secret}

    answer = requests.post(sandbox.root_url + "archive/getchatdata", json=body, timeout=5).json()

    assert answer["errcode"] == 301042
    assert api.get(LIST)["errcode"] == 0


def test_two_changes_of_one_relation_at_a_time_are_refused(
    api: Api, sandbox: SandboxServer, seller: str, buyers: list[str]
) -> None:
    sandbox.options.work_seconds = 0.3
    tag_id = next(sandbox.world.tags.living_tags()).id
    first = {"userid": seller, "external_userid": buyers[0]}
    other = {"userid": seller, "external_userid": buyers[1]}

    codes = together(
        lambda: api.post(MARK, **first, add_tag=[tag_id]),
        lambda: api.post(REMARK, **(first | {"userid": seller.upper()}), remark="小满妈"),
        lambda: api.post(MARK, **other, add_tag=[tag_id]),
    )

    assert sorted(codes[:2]) == [0, 45035]
    assert codes[2] == 0
    assert api.post(REMARK, **first, remark="小满妈")["errcode"] == 0


def test_one_member_is_handed_over_once_at_a_time(
    api: Api, sandbox: SandboxServer, seller: str, buyers: list[str]
) -> None:
    sandbox.options.work_seconds = 0.3
    taker = next(
        m.userid for m in sandbox.world.present_members() if m.can_follow and m.userid != seller
    )
    pair = {"handover_userid": seller, "takeover_userid": taker}

    codes = together(
        *(
            lambda customer=customer: api.post(TRANSFER, **pair, external_userid=[customer])
            for customer in buyers[:2]
        )
    )

    assert sorted(codes) == [0, 45035]


def test_parallel_changes_are_an_option(
    api: Api, sandbox: SandboxServer, seller: str, buyers: list[str]
) -> None:
    sandbox.options.work_seconds = 0.2
    sandbox.options.refuse_parallel_writes = False
    body = {"userid": seller, "external_userid": buyers[0], "remark": "小满妈"}

    assert together(*[lambda: api.post(REMARK, **body)] * 2) == [0, 0]


def test_so_many_read_one_list_at_a_time(api: Api, sandbox: SandboxServer) -> None:
    sandbox.options.work_seconds = 0.4
    assert together(*[lambda: api.get(LIST)] * 3) == [0, 0, 0]
    sandbox.options.list_concurrency = 2

    assert sorted(together(*[lambda: api.get(LIST)] * 3)) == [0, 0, 45033]
    assert together(*[lambda: api.get("department/get", id=1)] * 3) == [0, 0, 0]
    assert api.get(LIST)["errcode"] == 0


def test_a_request_that_was_cut_off_leaves_its_place(
    api: Api, sandbox: SandboxServer, seller: str, buyers: list[str]
) -> None:
    sandbox.faults.drop_request(REMARK)
    body = {"userid": seller, "external_userid": buyers[0], "remark": "小满妈"}
    with pytest.raises(requests.ConnectionError):
        api.post(REMARK, **body)

    assert api.post(REMARK, **body)["errcode"] == 0
