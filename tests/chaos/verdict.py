"""The comparison when all is over: the platform's ledger on one side, our rows on the other.

Each check returns sentences, one for each thing in which the two sides differ; none is the verdict
that nothing was lost and nothing was asked twice.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree as ET

from django.db.models import Count, Q, QuerySet

from campaigns.models import Campaign, Recipient, Task
from customers.models import Follow, HandoverItem, HandoverPlan, TagAssignment
from groups.models import GroupChat, MemberMove, Membership
from scrm.channels.models import InboundEvent, Operation, Refresh
from scrm.channels.operations import TAG_CUSTOMER
from scrm.jobs.models import Job
from scrm.sandbox.handovers import Transfer, TransferStatus
from scrm.sandbox.ledger import Entry
from scrm.sandbox.records import MassMessage, ReceiptStatus, Relation, TaskStatus
from scrm.sandbox.server import SandboxServer
from scrm.tenancy.models import Corp, Staff
from tests.chaos.office import Wishes
from tests.chaos.weather import PASSING_ERRCODES

Pair = tuple[str, str]

OUTCOMES = {
    ReceiptStatus.SENT: Recipient.Status.DELIVERED,
    ReceiptStatus.NOT_FRIEND: Recipient.Status.NOT_FRIEND,
    ReceiptStatus.OVER_QUOTA: Recipient.Status.QUOTA,
}
# What the weather made the platform say, and what is no answer of it: nothing ends by these.
PASSING = (*PASSING_ERRCODES, 45009, 40014, 42001)
HEAD = {"ToUserName", "FromUserName", "CreateTime", "MsgType", "Event"}


class Verdict:
    """Both sides of one corp, read once everything is quiet."""

    def __init__(self, corp: Corp, *, sandbox: SandboxServer, wishes: Wishes) -> None:
        self.corp, self.sandbox, self.wishes = corp, sandbox, wishes
        self.world = sandbox.world
        self.figures: dict[str, int] = {}

    def disagreements(self) -> list[str]:
        checks: list[Callable[[], Iterator[str]]] = [
            self.nothing_is_stuck,
            self.every_event_was_kept,
            self.every_message_is_a_task,
            self.every_recipient_ended_so,
            self.campaigns_are_whole,
            self.everybody_wished_for_is_a_recipient,
            self.every_transfer_is_an_item,
            self.every_move_of_a_chat_is_an_item,
            self.every_item_ended_so,
            self.every_mark_is_a_wish,
            self.the_last_wish_for_a_tag_counts,
            self.follows_agree,
            self.staff_agree,
            self.chats_agree,
        ]
        with self.world.lock:
            return [f"{check.__name__}: {line}" for check in checks for line in check()]

    def nothing_is_stuck(self) -> Iterator[str]:
        operations = Operation.objects.for_corp(self.corp)
        self.figures["operations"] = operations.count()
        over = [Operation.Status.SUCCEEDED, Operation.Status.FAILED, Operation.Status.CANCELLED]
        for each in operations.exclude(status__in=over):
            yield f"{each} after {each.attempts} attempts: {each.error}"
        passing = Q(errcode__in=PASSING) | Q(errcode__isnull=True)
        for each in operations.filter(passing, status=Operation.Status.FAILED):
            yield f"{each} given up for {each.errcode}: {each.error}"
        for refresh in Refresh.objects.for_corp(self.corp):
            yield f"still to be read: {refresh} {refresh.error}"
        jobs = Job.objects.for_corp(self.corp)
        self.figures["jobs"] = jobs.count()
        good = [Job.Status.SUCCEEDED, Job.Status.PARTIAL]
        for job in jobs.exclude(status__in=good):
            yield f"{job}: {job.errors}"
        events = InboundEvent.objects.for_corp(self.corp)
        for event in events.filter(status__in=["received", "failed"]):
            yield f"{event} {event.status}: {event.error}"

    def every_event_was_kept(self) -> Iterator[str]:
        """What was answered with 200 is stored once, and nothing is stored that was never told."""
        stored = Counter(
            _content_of_xml(body)
            for body in InboundEvent.objects.for_corp(self.corp).values_list("body", flat=True)
        )
        self.figures["events"] = stored.total()
        emitted = {entry.number: entry for entry in self.sandbox.entries("callback.emitted")}
        told = Counter(_content_of_entry(entry) for entry in emitted.values())
        numbers = {e.data["emitted"] for e in self.sandbox.entries("callback.delivered")}
        seconds = defaultdict(set)
        for number in numbers:
            seconds[_content_of_entry(emitted[number])].add(int(emitted[number].at))
        for content, when in seconds.items():
            if stored[content] < len(when):
                yield f"lost, stored {stored[content]} of {len(when)} times: {content}"
        for content, times in stored.items():
            if times > told[content]:
                yield f"stored {times} times and told {told[content]} times: {content}"

    def every_message_is_a_task(self) -> Iterator[str]:
        tasks = Counter(Task.objects.for_corp(self.corp).asked().values_list("msgid", flat=True))
        messages = {m.msgid for m in self.world.messages.values() if not m.is_personal}
        self.figures["requests to staff"] = len(messages)
        for msgid in messages - set(tasks):
            message = self.world.messages[msgid]
            yield f"asked, and no task knows it: {msgid} of {sorted(message.tasks)}"
        for msgid, times in tasks.items():
            if times > 1 or msgid not in messages:
                yield f"{times} tasks have the message {msgid}"
        for row in self.sandbox.summary()["asked_more_than_once"]:
            yield f"asked more than once: {row}"

    def every_recipient_ended_so(self) -> Iterator[str]:
        tasks = (
            Task.objects.for_corp(self.corp)
            .asked()
            .select_related("staff", "campaign", "operation")
        )
        asked = 0
        for task in tasks:
            message = self.world.messages.get(task.msgid)
            if message is None:
                continue
            truth = _fates_of(message, task)
            ours = {
                row.customer.external_userid if row.customer else _chat_id(row): row.status
                for row in _meant(task).select_related("customer", "chat")
            }
            asked += len(ours)
            if message.chat_type == "group" and not _tells_refused(task):
                # The answer that named them was lost, and of chats the platform lists those alone
                # that it was sent to: nobody can know that these were refused.
                for chat_id in set(message.fail_list) & ours.keys():
                    truth[chat_id] = str(Recipient.Status.ASKED)
                    if task.status == Task.Status.CONFIRMED:
                        truth[chat_id] = str(Recipient.Status.CONFIRMED)
            if truth != ours:
                both = truth.items() ^ ours.items()
                yield f"task {task.pk} ({task.status}, {task.msgid}): {sorted(both)[:6]}"
            if message.text != task.campaign.content:
                yield f"task {task.pk} has the message of another campaign"
        self.figures["recipients asked"] = asked

    def campaigns_are_whole(self) -> Iterator[str]:
        """One campaign for each that was submitted, everybody in it, and none still going."""
        campaigns = Campaign.objects.for_corp(self.corp).exclude(status=Campaign.Status.DRAFT)
        found = set(campaigns.values_list("pk", flat=True))
        self.figures["campaigns"] = len(found)
        if found != set(self.wishes.campaigns):
            yield f"submitted {sorted(self.wishes.campaigns)}, found {sorted(found)}"
        drafts = Campaign.objects.for_corp(self.corp).values("content").annotate(n=Count("pk"))
        for row in drafts.filter(n__gt=1):
            yield f"made {row['n']} times: {row['content']}"
        under_way = Q(status__in=["pending_approval", "scheduled", "planning"])
        # The platform may refuse all of a campaign; then it is a request of ours that was refused.
        unexplained = Q(status="failed") & ~Q(tasks__operation__status=Operation.Status.FAILED)
        for each in campaigns.filter(under_way | unexplained):
            yield f"{each.pk} is {each.status}: {each.problem}"
        for task in Task.objects.for_corp(self.corp).filter(status=Task.Status.PLANNED):
            yield f"task {task.pk} was never asked: {task.trouble}"

    def everybody_wished_for_is_a_recipient(self) -> Iterator[str]:
        for number, wished in self.wishes.campaigns.items():
            rows = Recipient.objects.filter(campaign=number)
            ids = {
                row.customer.external_userid if row.customer else _chat_id(row)
                for row in rows.select_related("customer", "chat")
            }
            is_planned = Campaign.objects.get(pk=number).planned_at is not None
            if ids != set(wished) and (is_planned or number not in self.wishes.cancelled):
                yield f"campaign {number}: {len(ids)} recipients of {len(set(wished))}"
        for number in self.wishes.cancelled:
            if Campaign.objects.get(pk=number).status != Campaign.Status.CANCELLED:
                yield f"campaign {number} was cancelled and is not"

    def every_transfer_is_an_item(self) -> Iterator[str]:
        self.figures["customers handed over"] = sum(
            transfer.status == TransferStatus.DONE for transfer in self.world.handovers.transfers
        )
        plans = HandoverPlan.objects.for_corp(self.corp)
        if set(plans.exclude(status="draft").values_list("pk", flat=True)) != set(
            self.wishes.plans
        ):
            yield f"{plans.count()} plans for {len(self.wishes.plans)} wishes"
        for plan in plans.exclude(status=HandoverPlan.Status.DONE):
            yield f"plan {plan.pk} is {plan.status}"
        items = HandoverItem.objects.for_corp(self.corp).select_related("customer", "from_staff")
        known = {
            (item.from_staff.userid, item.customer.external_userid)
            for item in items
            if item.customer
        }
        for transfer in self.world.handovers.transfers:
            if (transfer.handover_userid, transfer.external_userid) not in known:
                yield f"handed over by nobody's wish: {transfer}"
        for giver in {plan.from_staff.userid for plan in plans.select_related("from_staff")}:
            if times := self.sandbox.handover(giver)["asked_more_than_once"]:
                yield f"{times} customers of {giver} were asked for more than once"

    def every_move_of_a_chat_is_an_item(self) -> Iterator[str]:
        items = HandoverItem.objects.for_corp(self.corp).select_related("from_staff", "to_staff")
        moved = Counter(
            (m.chat_id, m.handover_userid, m.takeover_userid)
            for m in self.world.handovers.chat_moves
        )
        given = {
            (item.chat_id, item.from_staff.userid, item.to_staff.userid if item.to_staff else "")
            for item in items.of_chats().filter(status="succeeded")
        }
        self.figures["chats handed over"] = len(moved)
        for move, times in moved.items():
            if times > 1 or move not in given:
                yield f"chat moved {times} times, and by a wish: {move in given}: {move}"
        for move in given - set(moved):
            # The platform also says «done» of a chat whose owner is the taker already.
            if self.world.chats[move[0]].owner == move[1]:
                yield f"chat was not moved: {move}"

    def every_item_ended_so(self) -> Iterator[str]:
        fates: defaultdict[Pair, list[Transfer]] = defaultdict(list)
        for transfer in self.world.handovers.transfers:
            fates[transfer.handover_userid, transfer.external_userid].append(transfer)
        items = HandoverItem.objects.for_corp(self.corp).of_customers()
        for item in items.select_related("customer", "from_staff", "to_staff"):
            assert item.customer is not None
            pair = item.from_staff.userid, item.customer.external_userid
            if not _is_true_of(item, fates[pair]):
                states = [(t.takeover_userid, t.status.name) for t in fates[pair]]
                yield f"{pair} is {item.status} ({item.reason}), on the platform {states}"

    def every_mark_is_a_wish(self) -> Iterator[str]:
        """What our rows take for done was done, and nothing was done that nobody asked for."""
        marks = Counter(_mark_of(entry.data) for entry in self.sandbox.entries("api.marked"))
        operations = list(self._tag_operations())
        self.figures["tag writes"] = len(operations)
        taken = Counter(
            _mark_of(each.payload)
            for each in operations
            if each.status == Operation.Status.SUCCEEDED
        )
        for mark, times in taken.items():
            if marks[mark] < times:
                yield f"taken {times} times by our rows, {marks[mark]} times there: {mark}"
        for mark in marks.keys() - {_mark_of(each.payload) for each in operations}:
            yield f"tagged by nobody's wish: {mark}"

    def the_last_wish_for_a_tag_counts(self) -> Iterator[str]:
        wished: dict[tuple[str, str, str], tuple[bool, Operation]] = {}
        for operation in self._tag_operations().filter(status=Operation.Status.SUCCEEDED):
            pair = operation.payload["userid"], operation.payload["external_userid"]
            for word, is_wanted in (("remove", False), ("add", True)):
                for tag_id in operation.payload.get(word, ()):
                    wished[(*pair, tag_id)] = is_wanted, operation
        for (userid, external_userid, tag_id), (is_wanted, operation) in wished.items():
            relation = self.world.find_relation(userid, external_userid)
            # Of a relation that has ended a wish may have been carried out, its answer lost, and its
            # repetition refused: that is a failed operation, and nobody can see its tags any more.
            if relation is None or not self.world.is_shown(relation):
                continue
            if _is_newer(relation, operation):
                continue
            if (tag_id in relation.tag_ids) is not is_wanted:
                story = self._story_of(userid, external_userid)
                yield f"{tag_id} wanted {is_wanted} by #{operation.pk}; {story}"

    def _story_of(self, userid: str, external_userid: str) -> str:
        """What was wished for and what was done to the tags of a pair, for whoever has to find out."""
        ours = [
            f"#{each.pk} called {each.called_at} finished {each.finished_at}"
            f" after {each.attempts}: +{each.payload['add']} -{each.payload['remove']}"
            for each in self._tag_operations()
            if (each.payload["userid"], each.payload["external_userid"])
            == (userid, external_userid)
        ]
        theirs = [
            f"{datetime.fromtimestamp(entry.at, tz=UTC)}: +{entry.data['add']} -{entry.data['remove']}"
            for entry in self.sandbox.entries("api.marked")
            if (entry.data["userid"], entry.data["external_userid"]) == (userid, external_userid)
        ]
        return f"{userid} × {external_userid}: {ours} | {theirs}"

    def _tag_operations(self) -> QuerySet[Operation]:
        return Operation.objects.for_corp(self.corp).filter(kind=TAG_CUSTOMER).order_by("pk")

    def follows_agree(self) -> Iterator[str]:
        truth = {
            (r.userid, r.external_userid): r
            for r in self.world.relations()
            if r.is_friendship and not self.world.members[r.userid].has_left
        }
        live = Follow.objects.for_corp(self.corp).live().select_related("staff", "customer")
        ours = {
            (follow.staff.userid, follow.customer.external_userid): follow
            for follow in live.exclude(staff__status=Staff.Status.LEFT)
        }
        self.figures["follows"] = len(truth)
        untold = self._deleted_and_untold()
        self.figures["deletions that nobody told"] = len(untold)
        for pair in truth.keys() - ours.keys():
            yield f"no live follow {pair}"
        for pair in ours.keys() - truth.keys() - untold:
            yield f"a live follow that is none: {pair}"
        carried = self._our_tags()
        for pair in truth.keys() & ours.keys():
            yield from self._compare(truth[pair], ours[pair], carried[ours[pair].pk])

    def staff_agree(self) -> Iterator[str]:
        truth = {member.userid for member in self.world.present_members()}
        ours = set(Staff.objects.for_corp(self.corp).employed().values_list("userid", flat=True))
        if truth != ours:
            yield f"{sorted(truth ^ ours)}"

    def chats_agree(self) -> Iterator[str]:
        chats = GroupChat.objects.for_corp(self.corp).select_related("owner")
        ours = {chat.chat_id: chat for chat in chats}
        living = {c.chat_id: c for c in self.world.chats.values() if c.dismissed_at is None}
        self.figures["chats"] = len(living)
        for chat_id in living.keys() - ours.keys():
            yield f"chat {chat_id} is not known"
        for chat in chats.existing():
            if chat.chat_id not in living:
                yield f"chat {chat.chat_id} was dismissed"
        for chat_id in living.keys() & ours.keys():
            yield from self._compare_chat(chat_id, ours[chat_id])

    def _compare_chat(self, chat_id: str, ours: GroupChat) -> Iterator[str]:
        truth = self.world.chats[chat_id]
        owner = ours.owner.userid if ours.owner else ""
        if (truth.name, truth.owner) != (ours.name, owner):
            yield f"chat {chat_id}: {truth.name}, {truth.owner} here {ours.name}, {owner}"
        present = Membership.objects.filter(chat=ours).present()
        members = set(present.values_list("member_id", flat=True))
        if members != set(truth.members) or ours.member_count != len(members):
            yield f"members of {chat_id}: {sorted(members ^ set(truth.members))}"
        moves = Counter(MemberMove.objects.filter(chat=ours).values_list("kind", flat=True))
        if moves["joined"] - moves["left"] != len(truth.members):
            yield f"moves of {chat_id} make {moves}, members are {len(truth.members)}"

    def _compare(self, truth: Relation, ours: Follow, carried: set[str]) -> Iterator[str]:
        pair = truth.userid, truth.external_userid
        tags = set(self.world.tags.carried(truth.tag_ids))
        if tags != carried:
            yield f"tags of {pair}: {sorted(tags ^ carried)} (there {sorted(tags - carried)})"
        name = self.world.persons[truth.external_userid].name
        there, here = (truth.remark, name), (ours.remark, ours.customer.name)
        if there != here:
            yield f"{pair} is {there} there and {here} here"

    def _our_tags(self) -> defaultdict[int, set[str]]:
        found: defaultdict[int, set[str]] = defaultdict(set)
        rows = TagAssignment.objects.for_corp(self.corp).filter(tag__kind="wecom")
        for follow_id, tag_id in rows.values_list("follow", "tag__wecom_id"):
            if follow_id is not None:
                found[follow_id].add(tag_id)
        return found

    def _deleted_and_untold(self) -> set[Pair]:
        """Whom a customer deleted without an event that arrived: no reading tells of it either."""
        arrived = {e.data["emitted"] for e in self.sandbox.entries("callback.delivered")}
        untold = {
            (e.data["fields"]["UserID"], e.data["fields"]["ExternalUserID"])
            for e in self.sandbox.entries("callback.emitted")
            if e.data["fields"].get("ChangeType") == "del_follow_user" and e.number not in arrived
        }
        return {
            (r.userid, r.external_userid)
            for r in self.world.relations()
            if r.deleted_by_customer_at is not None
            and r.deleted_by_member_at is None
            and (r.userid, r.external_userid) in untold
        }


def _fates_of(message: MassMessage, task: Task) -> dict[str, str]:
    """Recipient → what our row must say."""
    sent = message.tasks.get(task.staff.userid)
    fates = dict.fromkeys(message.fail_list, str(Recipient.Status.FAILED))
    if sent is None:
        return fates
    for receipt in sent.receipts.values():
        fate = Recipient.Status.ASKED
        if sent.status == TaskStatus.SENT:
            # Of chats the platform lists only those that it was sent to.
            is_told = message.chat_type == "single" or receipt.status == ReceiptStatus.SENT
            fate = OUTCOMES[receipt.status] if is_told else Recipient.Status.CONFIRMED
        fates[receipt.recipient] = str(fate)
    return fates


def _tells_refused(task: Task) -> bool:
    return bool(task.operation and task.operation.result.get("refused"))


def _meant(task: Task) -> QuerySet[Recipient]:
    """Whom the request was about: others were left out right before it was made."""
    return task.recipients.exclude(status=Recipient.Status.EXCLUDED)


def _chat_id(row: Recipient) -> str:
    return row.chat.chat_id if row.chat else ""


def _is_true_of(item: HandoverItem, transfers: list[Transfer]) -> bool:
    states = [transfer.status for transfer in transfers]
    match item.status:
        case HandoverItem.Status.SUCCEEDED:
            taker = item.to_staff.userid if item.to_staff else ""
            done = [t.takeover_userid for t in transfers if t.status == TransferStatus.DONE]
            return done == [taker]
        case HandoverItem.Status.REJECTED:
            return bool(states) and states[-1] == TransferStatus.REFUSED
        case HandoverItem.Status.OVER_CAPACITY:
            return not {TransferStatus.DONE, TransferStatus.WAITING} & set(states)
        case _:
            # Whatever did not happen did not happen there either.
            return not {TransferStatus.DONE, TransferStatus.WAITING} & set(states)


def _is_newer(relation: Relation, operation: Operation) -> bool:
    """Whether the two became friends (again) after the platform took the operation."""
    finished = operation.finished_at or operation.created_at
    return datetime.fromtimestamp(relation.createtime + 1, tz=UTC) >= finished


def _mark_of(data: dict[str, Any]) -> tuple[Any, ...]:
    add, remove = tuple(sorted(data.get("add", ()))), tuple(sorted(data.get("remove", ())))
    return data["userid"], data["external_userid"], add, remove


def _content_of_entry(entry: Entry) -> tuple[str, tuple[tuple[str, str], ...]]:
    fields = {
        name: "".join(value) if isinstance(value, list) else str(value)
        for name, value in entry.data["fields"].items()
    }
    return entry.data["event"], tuple(sorted(fields.items()))


def _content_of_xml(body: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    root = ET.fromstring(body)  # noqa: S314 — what our own sandbox wrote
    fields = {each.tag: "".join(each.itertext()) for each in root if each.tag not in HEAD}
    return root.findtext("Event", ""), tuple(sorted(fields.items()))
