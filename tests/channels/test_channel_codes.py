"""Codes and links through which customers come, as the sandbox answers them."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from scrm.channels.base import Channel, ContactCodeWish, LinkWish, TemporaryChat
from scrm.channels.errors import InputRefused, Stale
from scrm.sandbox.server import SandboxServer
from tests.factories import NOW

TODAY = NOW.astimezone(ZoneInfo("Asia/Shanghai")).date()
DAY = timedelta(days=1)


@pytest.fixture
def staff(channel: Channel) -> list[str]:
    return list(channel.contacts.staff_with_customer_contact())


@pytest.mark.parametrize("is_single", [True, False])
def test_a_code_is_made_read_scanned_and_deleted(
    channel: Channel, sandbox: SandboxServer, staff: list[str], is_single: bool
) -> None:
    wish = ContactCodeWish((staff[0],), state="spring", remark="Door", is_single=is_single)

    made = channel.codes.create_contact_code(wish)

    code = channel.codes.contact_code(made.config_id)
    assert (code.userids, code.state, code.remark) == ((staff[0],), "spring", "Door")
    assert (code.is_single, code.skip_verify, code.is_temporary) == (is_single, True, False)
    assert made.qr_url == code.qr_url
    assert channel.media.picture(code.qr_url)[0].startswith("image/")
    came = sandbox.people.scan_contact_way(made.config_id, {"name": "Anna"})
    _, follows = channel.contacts.customer(came["external_userid"])
    assert [follow.state for follow in follows] == ["spring"]
    channel.codes.delete_contact_code(made.config_id)
    with pytest.raises(Stale):
        channel.codes.contact_code(made.config_id)


def test_a_code_for_one_becomes_one_for_several(channel: Channel, staff: list[str]) -> None:
    made = channel.codes.create_contact_code(ContactCodeWish((staff[0],), state="a"))

    channel.codes.update_contact_code(
        made.config_id, ContactCodeWish(tuple(staff[:2]), (2,), state="b", skip_verify=False)
    )

    code = channel.codes.contact_code(made.config_id)
    assert (code.userids, code.department_ids) == (tuple(staff[:2]), (2,))
    assert (code.state, code.skip_verify) == ("b", False)


def test_lists_codes_of_a_span_but_no_temporary_ones(
    channel: Channel, sandbox: SandboxServer, staff: list[str]
) -> None:
    kept = channel.codes.create_contact_code(ContactCodeWish((staff[0],)))
    wish = ContactCodeWish((staff[0],), is_single=True, temporary=TemporaryChat(DAY, DAY))
    passing = channel.codes.create_contact_code(wish)
    now = datetime.fromtimestamp(sandbox.clock.now(), UTC)

    page = channel.codes.contact_code_page(now - DAY, now + DAY, "")

    assert page.rows == (kept.config_id,)
    assert channel.codes.contact_code(passing.config_id).is_temporary
    assert channel.codes.contact_code_page(now - 2 * DAY, now - DAY, "").rows == ()


def test_ends_a_temporary_chat(channel: Channel, sandbox: SandboxServer, staff: list[str]) -> None:
    wish = ContactCodeWish((staff[0],), is_single=True, temporary=TemporaryChat(DAY, DAY))
    made = channel.codes.create_contact_code(wish)
    came = sandbox.people.scan_contact_way(made.config_id, {"name": "Anna"})

    channel.codes.close_temporary_chat(came["userid"], came["external_userid"])

    with pytest.raises(Stale):
        channel.codes.close_temporary_chat(came["userid"], came["external_userid"])


def test_a_state_that_is_too_long_is_refused_here(
    channel: Channel, sandbox: SandboxServer, staff: list[str]
) -> None:
    with pytest.raises(InputRefused, match="state: at most 30, not 31"):
        channel.codes.create_contact_code(ContactCodeWish((staff[0],), state="s" * 31))
    assert "externalcontact/add_contact_way" not in sandbox.calls()


def test_a_link_is_made_changed_and_deleted(channel: Channel, staff: list[str]) -> None:
    made = channel.codes.create_link(LinkWish("Spring", (staff[0],)))
    channel.codes.update_link(
        made.link_id, LinkWish("Summer", (staff[1],), (2,), skip_verify=False)
    )

    link = channel.codes.link(made.link_id)
    assert channel.codes.link_page("").rows == (made.link_id,)
    assert (made.name, link.name, link.url) == ("Spring", "Summer", made.url)
    assert (link.userids, link.department_ids) == ((staff[1],), (2,))
    assert not link.skip_verify

    channel.codes.delete_link(made.link_id)
    assert channel.codes.link_page("").rows == ()


def test_counts_who_came_through_a_link_and_what_they_cost(
    channel: Channel, sandbox: SandboxServer, staff: list[str]
) -> None:
    sandbox.people.buy_link_quota(10)
    before = channel.codes.link_quota()
    link = channel.codes.create_link(LinkWish("Spring", (staff[0],)))
    sandbox.people.open_link(link.link_id)
    came = sandbox.people.add_by_link(link.link_id, {"name": "Anna"}, channel="flyer")

    (row,) = channel.codes.link_customer_page(link.link_id, "").rows
    figures = channel.codes.link_figures(link.link_id, TODAY, TODAY)
    after = channel.codes.link_quota()

    assert (row.external_userid, row.userid, row.state) == (
        came["external_userid"],
        staff[0],
        "flyer",
    )
    assert row.has_talked is False
    assert figures.added == 1
    assert figures.clicked >= 1
    assert (before.balance - after.balance, after.used - before.used) == (1, 1)
    assert sum(lot.balance for lot in after.lots) == after.balance
