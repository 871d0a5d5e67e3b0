"""Greeting a new customer."""

from scrm.sandbox.call import Call
from scrm.sandbox.content import read_content
from scrm.sandbox.endpoints.registry import Answer, endpoint
from scrm.sandbox.errors import Refused
from scrm.sandbox.records import MemberStatus
from scrm.sandbox.sending import Content
from scrm.sandbox.welcomes import WelcomeCode
from scrm.sandbox.world import World


@endpoint("POST", "externalcontact/send_welcome_msg")
def send_welcome(call: Call) -> Answer:
    code_text = call.text("welcome_code", missing=41049)
    content = read_content(call)
    world = call.world
    code = world.welcomes.find(code_text)
    refusal = 41050 if code is None else _find_obstacle(world, code)
    if code is None or refusal:
        _note_refusal(world, code, refusal)
        raise Refused(refusal)
    world.welcomes.spend(code, world.clock.now())
    _note_sent(world, code, content)
    return {}


def _find_obstacle(world: World, code: WelcomeCode) -> int:
    """Return the errcode of what keeps a code from greeting now, or 0."""
    now, member = world.clock.now(), world.members[code.userid]
    talked = world.conversations.have_talked(
        code.userid, code.external_userid, since=code.issued_at
    )
    greeted_by_rival = code.rival_until is not None and world.options.rival_welcome_sends
    obstacles = (
        (41050, not 0 <= now - code.issued_at <= world.options.welcome_seconds),
        (41051, code.spent_at is not None or talked),
        (41096, code.rival_until is not None and now < code.rival_until),
        (41051, greeted_by_rival),
        (41054, member.status != MemberStatus.ACTIVE),
        (84074, not member.can_follow),
        (84061, not _are_friends(world, code)),
        (41053, not _may_be_greeted(world, code)),
    )
    return next((errcode for errcode, applies in obstacles if applies), 0)


def _are_friends(world: World, code: WelcomeCode) -> bool:
    relation = world.find_relation(code.userid, code.external_userid)
    return (
        relation is not None
        and relation.deleted_by_member_at is None
        and relation.deleted_by_customer_at is None
    )


def _may_be_greeted(world: World, code: WelcomeCode) -> bool:
    """Whether nothing is archived between the two, or the customer has agreed to it."""
    options = world.options
    if not options.archive_enabled or not world.members[code.userid].is_archived:
        return True
    return world.archive.has_agreed(
        code.userid, code.external_userid, default=options.archive_agreed
    )


def _note_sent(world: World, code: WelcomeCode, content: Content) -> None:
    world.ledger.append(
        "welcome.sent",
        userid=code.userid,
        external_userid=code.external_userid,
        text=content.text,
        attachments=[attachment["msgtype"] for attachment in content.attachments],
        seconds=round(world.clock.now() - code.issued_at, 3),
    )


def _note_refusal(world: World, code: WelcomeCode | None, errcode: int) -> None:
    world.ledger.append(
        "welcome.refused",
        errcode=errcode,
        userid=code.userid if code else "",
        external_userid=code.external_userid if code else "",
    )
