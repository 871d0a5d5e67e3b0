"""Words that the platform intercepts, as the sandbox answers them."""

from dataclasses import replace

import pytest

from scrm.channels.base import Channel, InterceptRuleWish, Meant
from scrm.channels.errors import InputRefused, Stale
from scrm.sandbox.server import SandboxServer


@pytest.fixture
def wish(channel: Channel) -> InterceptRuleWish:
    staff = channel.contacts.staff_with_customer_contact()
    return InterceptRuleWish("Deals", ("bonus",), (staff[0],), (2,), (Meant.PHONE_NUMBER,))


def test_a_rule_is_made_listed_and_read(channel: Channel, wish: InterceptRuleWish) -> None:
    rule_id = channel.words.create(wish)

    rule = channel.words.rule(rule_id)
    assert [(line.rule_id, line.name) for line in channel.words.rules()] == [(rule_id, "Deals")]
    assert (rule.words, rule.userids, rule.department_ids) == (
        ("bonus",),
        wish.userids,
        (2,),
    )
    assert (rule.meant, rule.is_blocking) == ((Meant.PHONE_NUMBER,), True)


def test_a_rule_becomes_what_is_wished(channel: Channel, wish: InterceptRuleWish) -> None:
    """The platform adds to a range and takes from it; a wish says what it shall be."""
    other = channel.contacts.staff_with_customer_contact()[1]
    rule_id = channel.words.create(wish)

    changed = replace(
        wish, words=("gift",), userids=(other,), department_ids=(3,), meant=(), is_blocking=False
    )
    channel.words.update(rule_id, changed)

    rule = channel.words.rule(rule_id)
    assert (rule.words, rule.userids, rule.department_ids) == (("gift",), (other,), (3,))
    assert (rule.meant, rule.is_blocking) == ((), False)
    channel.words.update(rule_id, changed)
    assert channel.words.rule(rule_id) == rule


def test_a_deleted_rule_is_gone(channel: Channel, wish: InterceptRuleWish) -> None:
    rule_id = channel.words.create(wish)

    channel.words.delete(rule_id)

    assert channel.words.rules() == []
    with pytest.raises(Stale):
        channel.words.rule(rule_id)


@pytest.mark.parametrize(
    "change",
    [
        {"name": "x" * 21},
        {"words": ("x" * 33,)},
        {"words": ("x",) * 301},
        {"userids": ("a",) * 1001},
    ],
)
def test_what_is_too_much_is_refused_here(
    channel: Channel, sandbox: SandboxServer, wish: InterceptRuleWish, change: dict[str, object]
) -> None:
    with pytest.raises(InputRefused, match="at most"):
        channel.words.create(replace(wish, **change))  # type: ignore[arg-type]
    assert "externalcontact/add_intercept_rule" not in sandbox.calls()
