"""The state of one made-up corp: directory, customers, tags, groups, mass messages."""

import itertools
import random
import threading
from collections.abc import Callable, Iterator

from scrm.sandbox.acquisition import AcquisitionBook
from scrm.sandbox.archive import Archive
from scrm.sandbox.archived_media import FileShelf
from scrm.sandbox.cards import CardBook
from scrm.sandbox.clock import VirtualClock
from scrm.sandbox.contact_walks import ContactWalk
from scrm.sandbox.contact_ways import ContactWayBook
from scrm.sandbox.conversations import Conversations
from scrm.sandbox.credentials import Credentials
from scrm.sandbox.dice import draw_id, draw_text, make_dice
from scrm.sandbox.foreign_ids import ForeignIds
from scrm.sandbox.handovers import HandoverBook, Transfer
from scrm.sandbox.interception import Interception
from scrm.sandbox.internal_rooms import RoomBook
from scrm.sandbox.js_tickets import TicketDesk
from scrm.sandbox.ledger import Ledger
from scrm.sandbox.media import MediaStore, UploadJob
from scrm.sandbox.moments import Moment, MomentBook, MomentTask
from scrm.sandbox.oauth import OauthDesk
from scrm.sandbox.options import Options
from scrm.sandbox.products import Product
from scrm.sandbox.records import (
    AppMessage,
    Chat,
    Department,
    JoinWay,
    MassMessage,
    Member,
    Person,
    Relation,
)
from scrm.sandbox.service import ServiceDesk
from scrm.sandbox.strategies import StrategyBook
from scrm.sandbox.tagbook import TagBook
from scrm.sandbox.welcomes import GroupWelcomeBook, WelcomeDesk


class World:
    """Everything there is, with the indices that 50 000 customers need.

    `lock` guards all of it: endpoints and acting people hold it while they read or write.
    """

    def __init__(  # noqa: PLR0915 - one line for each thing there is
        self, *, seed: int = 1, clock: VirtualClock | None = None, options: Options | None = None
    ) -> None:
        self.seed = seed
        self.clock = clock or VirtualClock()
        self.options = options or Options()
        self.credentials = Credentials.for_seed(seed)
        self.ledger = Ledger(self.clock)
        self.lock = threading.RLock()
        self.dice: random.Random = make_dice("world", seed)
        self.departments: dict[int, Department] = {}
        self.members: dict[str, Member] = {}
        self.persons: dict[str, Person] = {}
        self.tags = TagBook()
        self.chats: dict[str, Chat] = {}
        self.messages: dict[str, MassMessage] = {}
        self.app_messages: list[AppMessage] = []
        # Content and receivers → when that was last said, and as which message.
        self.app_messages_said: dict[str, tuple[float, str]] = {}
        self.app_messages_recalled: dict[str, float] = {}
        self.cards = CardBook(self)
        self.oauth = OauthDesk(self)
        self.js_tickets = TicketDesk(self)
        self.strategies = StrategyBook(self.tags.rule_tags)
        self.told_log: dict[str, list[float]] = {}
        self.join_ways: dict[str, JoinWay] = {}
        self.contact_ways = ContactWayBook()
        self.media = MediaStore()
        self.moments = MomentBook()
        self.products: dict[str, Product] = {}
        self.interception = Interception()
        self.welcomes = WelcomeDesk()
        self.group_welcomes = GroupWelcomeBook()
        self.acquisition = AcquisitionBook(self.options.acquisition_balance, self.clock.now())
        self.conversations = Conversations()
        # Pages of a walk over all served contacts, by the walk's number.
        self.contact_walks: dict[int, ContactWalk] = {}
        self.handovers = HandoverBook()
        self.archive = Archive(seed)
        self.archive_files = FileShelf(self)
        self.rooms = RoomBook()
        self.service = ServiceDesk(self)
        self.foreign_ids = ForeignIds(self)
        # Where the world is served, for the addresses of pictures.
        self.root_url = ""
        self.received_log: dict[str, list[float]] = {}
        # Called with a mass message when members were asked to send it, or reminded.
        self.on_asked: list[Callable[[MassMessage], None]] = []
        self.on_reminded: list[Callable[[MassMessage], None]] = []
        # Called with a transfer that began, and with a group that has a new owner by the API
        # (and whether he was outside of it before).
        self.on_transfer: list[Callable[[Transfer], None]] = []
        self.on_chat_given: list[Callable[[Chat, bool], None]] = []
        # Called with a file that is to be fetched from an address, a moment that members are asked
        # to publish, and what one of them has published.
        self.on_upload: list[Callable[[UploadJob], None]] = []
        self.on_moment: list[Callable[[Moment], None]] = []
        self.on_published: list[Callable[[Moment, MomentTask], None]] = []
        # Called with a relation that has become one (half at least) by the customer's own doing.
        self.on_befriended: list[Callable[[Relation], None]] = []
        # Called with the relation in which a customer has written.
        self.on_customer_said: list[Callable[[Relation], None]] = []
        # Called with a member who can add customers no longer, or again.
        self.on_member_changed: list[Callable[[Member], None]] = []
        # Relations that were begun anew since.
        self.former_relations: list[Relation] = []
        self._userids: dict[str, str] = {}
        self._by_member: dict[str, dict[str, Relation]] = {}
        self._by_person: dict[str, dict[str, Relation]] = {}
        self._numbers = itertools.count(1)

    def now(self) -> int:
        return int(self.clock.now())

    def mint_id(self, prefix: str) -> str:
        return draw_id(self.dice, prefix)

    def mint_member_version(self) -> str:
        return draw_text(self.dice, 32, "0123456789abcdef")

    def next_number(self) -> int:
        return next(self._numbers)

    # Directory

    def add_department(self, department: Department) -> Department:
        self.departments[department.id] = department
        return department

    def add_member(self, member: Member) -> Member:
        self.members[member.userid] = member
        self._userids[member.userid.lower()] = member.userid
        return member

    def find_member(self, userid: str) -> Member | None:
        """Return who carries the userid in any letter case and has not left."""
        member = self.find_anybody(userid)
        return None if member is None or member.has_left else member

    def find_anybody(self, userid: str) -> Member | None:
        """Return who carries the userid in any letter case, be it one who has left."""
        return self.members.get(self._userids.get(userid.lower(), ""))

    def present_members(self) -> list[Member]:
        return [member for member in self.members.values() if not member.has_left]

    def sees(self, member: Member) -> bool:
        """Whether the member is inside the app's visible range, which may be everybody."""
        visible = self.options.visible_members
        return not visible or member.userid in visible

    def children(self, department_id: int) -> list[Department]:
        return [d for d in self.departments.values() if d.parent_id == department_id]

    def department_tree(self, department_id: int) -> Iterator[Department]:
        """Yield the department and everything below it."""
        yield self.departments[department_id]
        for child in self.children(department_id):
            yield from self.department_tree(child.id)

    # Customers

    def add_person(self, person: Person) -> Person:
        self.persons[person.external_userid] = person
        return person

    def add_relation(self, relation: Relation) -> Relation:
        """Record a relation; one of the same pair is replaced and begins anew."""
        mine = self._by_member.setdefault(relation.userid, {})
        former = mine.pop(relation.external_userid, None)
        if former is not None:
            self.former_relations.append(former)
        mine[relation.external_userid] = relation
        self._by_person.setdefault(relation.external_userid, {})[relation.userid] = relation
        return relation

    def find_relation(self, userid: str, external_userid: str) -> Relation | None:
        return self._by_member.get(userid, {}).get(external_userid)

    def relations(self) -> Iterator[Relation]:
        for mine in self._by_member.values():
            yield from mine.values()

    def customers_of(self, userid: str) -> list[Relation]:
        """Return the relations the API shows for a member, oldest first."""
        member = self.members.get(userid)
        if member is None or not member.can_follow or not self.sees(member):
            return []
        return [r for r in self._by_member.get(userid, {}).values() if r.is_known_to_member]

    def unassigned_of(self, member: Member) -> list[Relation]:
        """Return the customers of one who left whom nobody has taken or is about to take."""
        if not member.has_left:
            return []
        return [
            relation
            for relation in self._by_member.get(member.userid, {}).values()
            if relation.is_known_to_member
            and not self.handovers.waiting(relation.external_userid, member.userid)
        ]

    def is_full(self, member: Member) -> bool:
        """Whether the member may have no more customers."""
        capacity = member.capacity
        allowed = self.options.customers_per_member if capacity is None else capacity
        # Whoever ever was a customer is no fewer than who is one now, and quickly counted.
        if len(self._by_member.get(member.userid, {})) < allowed:
            return False
        return len(self.customers_of(member.userid)) >= allowed

    def followers_of(self, external_userid: str) -> list[Relation]:
        """Return the relations the API shows for a customer, oldest first."""
        known = (r for r in self._by_person.get(external_userid, {}).values() if self.is_shown(r))
        return sorted(known, key=lambda relation: relation.number)

    def is_shown(self, relation: Relation) -> bool:
        member = self.members[relation.userid]
        return relation.is_known_to_member and member.can_follow and self.sees(member)

    # Groups

    def add_chat(self, chat: Chat) -> Chat:
        self.chats[chat.chat_id] = chat
        return chat

    def chats_of(self, userid: str) -> list[Chat]:
        return [c for c in self.chats.values() if c.owner == userid and c.dismissed_at is None]
