"""What all acts share: the lock, the ledger, and events that go out afterwards."""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from scrm.sandbox.callbacks import Callbacks
from scrm.sandbox.conversations import Said
from scrm.sandbox.dice import draw_text
from scrm.sandbox.events import Event, contact_event
from scrm.sandbox.records import Chat, ContactType, MassMessage, Member, Person, Relation
from scrm.sandbox.welcomes import WelcomeCode
from scrm.sandbox.world import World

P = ParamSpec("P")
R = TypeVar("R")
ActorT = TypeVar("ActorT", bound="Actor")

ACTS: set[str] = set()


class ActRefused(ValueError):
    """Nobody could act like that: an unknown id, or something already done."""


def act(
    method: Callable[Concatenate[ActorT, P], R],
) -> Callable[Concatenate[ActorT, P], R]:
    """Make a method an act that may be asked for by its name."""
    ACTS.add(method.__name__)
    return undisturbed(method)


def undisturbed(
    method: Callable[Concatenate[ActorT, P], R],
) -> Callable[Concatenate[ActorT, P], R]:
    """Run a method alone on the world, its events delivered after it."""

    @wraps(method)
    def perform(self: ActorT, /, *args: P.args, **kwargs: P.kwargs) -> R:
        with self.world.lock:
            result = method(self, *args, **kwargs)
        # An in-process receiver may call the API from another thread, so the lock must be free.
        self.callbacks.settle()
        return result

    return perform


class Actor:
    """Finds who and what an act is about."""

    def __init__(self, world: World, callbacks: Callbacks) -> None:
        self.world = world
        self.callbacks = callbacks

    def emit(self, event: Event) -> None:
        if self.world.options.staff_events or not event.is_about_staff:
            self.callbacks.emit(event)

    def emit_change(self, change: str, relation: Relation, **more: str) -> None:
        """Tell of a change of a relation."""
        at = self.world.now()
        self.emit(contact_event(change, relation.userid, relation.external_userid, at, **more))

    def note_contact(self, what: str, relation: Relation, **more: Any) -> None:
        self.world.ledger.append(
            f"contact.{what}",
            userid=relation.userid,
            external_userid=relation.external_userid,
            **more,
        )

    def meet(self, person: str | Mapping[str, Any] | None) -> Person:
        """Return who is named by an id, or a new person with these facts, or just anybody new."""
        if isinstance(person, str):
            return self.person(person)
        facts = dict(person or {})
        kind = ContactType(facts.pop("type", ContactType.WECHAT))
        prefix = "wm" if kind == ContactType.WECHAT else "wo"
        facts.setdefault("name", f"微信用户{draw_text(self.world.dice, 4, '0123456789')}")
        if kind == ContactType.WECHAT:
            facts.setdefault("unionid", "o" + draw_text(self.world.dice, 27))
        external_userid = facts.pop("external_userid", "") or self.world.mint_id(prefix)
        if external_userid in self.world.persons:
            raise ActRefused(f"{external_userid!r} exists already")
        try:
            return self.world.add_person(Person(external_userid, type=kind, **facts))
        except TypeError as error:
            raise ActRefused(f"a person has no such fact: {error}") from error

    def issue_welcome(self, relation: Relation) -> str:
        """Return a code that is good for one greeting, or "" where the platform gives none."""
        world, pair = self.world, (relation.userid, relation.external_userid)
        # A WeCom partner gets no welcome.
        if world.persons[relation.external_userid].type != ContactType.WECHAT:
            return ""
        if world.options.console_welcome or world.members[relation.userid].has_console_welcome:
            self.world.ledger.append("welcome.by_console", userid=pair[0], external_userid=pair[1])
            return ""
        since = relation.createtime
        if world.conversations.have_talked(*pair, since=since) or world.welcomes.has_greeted(
            *pair, since=since
        ):
            return ""
        return self._mint_welcome(*pair)

    def _mint_welcome(self, userid: str, external_userid: str) -> str:
        now, options = self.world.clock.now(), self.world.options
        code = WelcomeCode(draw_text(self.world.dice, 43), userid, external_userid, now)
        if options.rival_welcome_seconds:
            code.rival_until = now + options.rival_welcome_seconds
        return self.world.welcomes.add(code).code

    def note_said(self, relation: Relation, *, by_customer: bool) -> None:
        """Remember that one of the two wrote to the other."""
        now = self.world.clock.now()
        relation.last_chat_at = now
        self.world.conversations.note(
            Said(now, relation.userid, relation.external_userid, by_customer)
        )
        if by_customer:
            for hear in self.world.on_customer_said:
                hear(relation)

    def tell_changed(self, member: Member) -> None:
        """Let whoever depends on the member learn that he can or cannot add customers now."""
        for learn in self.world.on_member_changed:
            learn(member)

    def member(self, userid: str) -> Member:
        member = self.world.find_member(userid)
        if member is None:
            raise ActRefused(f"no member {userid!r}")
        return member

    def follower(self, userid: str) -> Member:
        member = self.member(userid)
        if not member.can_follow:
            raise ActRefused(f"{userid!r} has no customer contact")
        return member

    def person(self, external_userid: str) -> Person:
        person = self.world.persons.get(external_userid)
        if person is None:
            raise ActRefused(f"no person {external_userid!r}")
        return person

    def relation(self, userid: str, external_userid: str) -> Relation:
        userid = self.member(userid).userid
        relation = self.world.find_relation(userid, external_userid)
        if relation is None or relation.deleted_by_member_at is not None:
            raise ActRefused(f"{external_userid!r} is no customer of {userid!r}")
        return relation

    def chat(self, chat_id: str) -> Chat:
        chat = self.world.chats.get(chat_id)
        if chat is None or chat.dismissed_at is not None:
            raise ActRefused(f"no group {chat_id!r}")
        return chat

    def message(self, msgid: str) -> MassMessage:
        message = self.world.messages.get(msgid)
        if message is None:
            raise ActRefused(f"no mass message {msgid!r}")
        return message
