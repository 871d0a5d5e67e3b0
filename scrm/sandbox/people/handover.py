"""Customers being handed over: they decline, or find themselves with somebody else a day later."""

from scrm.sandbox.handing_over import note_transfer
from scrm.sandbox.handovers import Transfer, TransferStatus
from scrm.sandbox.people.acting import Actor, ActRefused, act, undisturbed
from scrm.sandbox.records import Relation

ASSIGNED = 202


class HandoverActs(Actor):
    @act
    def customer_refuses_transfer(self, external_userid: str, handover_userid: str = "") -> int:
        """Let a customer decline what waits for him, from one member or any; return how often."""
        waiting = self.world.handovers.waiting(external_userid, handover_userid)
        if not waiting:
            raise ActRefused(f"{external_userid!r} is not being handed over")
        for transfer in waiting:
            self._refuse(transfer)
        return len(waiting)

    def await_takeover(self, transfer: Transfer) -> None:
        """Give the customer his time to decline."""
        self.world.clock.schedule(transfer.due_at, lambda: self._conclude(transfer))

    @undisturbed
    def _conclude(self, transfer: Transfer) -> None:
        if transfer.status != TransferStatus.WAITING:
            return
        relation = self._former_relation(transfer)
        taker = self.world.members[transfer.takeover_userid]
        if relation is None or not relation.is_friendship:
            # Whoever is no friend any more counts as one who declined.
            self._refuse(transfer)
        elif not taker.can_follow or self.world.is_full(taker):
            self._end(transfer, TransferStatus.FULL, "full")
            self._emit_failure(transfer, "customer_limit_exceed")
        else:
            self._move(transfer, relation)

    def _refuse(self, transfer: Transfer) -> None:
        """Leave the customer where he was; one whose member has left is lost with that."""
        self._end(transfer, TransferStatus.REFUSED, "rejected")
        self._emit_failure(transfer, "customer_refused")
        relation = self._former_relation(transfer)
        if transfer.is_resigned and relation is not None and relation.is_known_to_member:
            now = self.world.clock.now()
            relation.deleted_by_customer_at = relation.deleted_by_member_at = now
            self.note_contact("lost_in_handover", relation)
            self.emit_change("del_follow_user", relation)

    def _move(self, transfer: Transfer, relation: Relation) -> None:
        taker = transfer.takeover_userid
        known = self.world.find_relation(taker, transfer.external_userid)
        is_return = self.world.handovers.has_moved_away(transfer.external_userid, taker)
        self._end(transfer, TransferStatus.DONE, "done")
        if known is None or not known.is_friendship:
            # Remark, personal tags and numbers were the former member's own and stay behind.
            known = self.world.add_relation(
                Relation(
                    userid=taker,
                    external_userid=transfer.external_userid,
                    number=self.world.next_number(),
                    createtime=self.world.now(),
                    add_way=ASSIGNED,
                    oper_userid=transfer.handover_userid,
                    tag_ids=set(relation.tag_ids),
                    last_chat_at=self.world.clock.now(),
                )
            )
            if not is_return:
                self.emit_change("add_external_contact", known)
        relation.deleted_by_member_at = self.world.clock.now()
        if not transfer.is_resigned:
            self.emit_change("del_external_contact", relation, Source="DELETE_BY_TRANSFER")

    def _end(self, transfer: Transfer, status: TransferStatus, what: str) -> None:
        transfer.status, transfer.ended_at = status, self.world.clock.now()
        note_transfer(self.world, what, transfer)

    def _emit_failure(self, transfer: Transfer, reason: str) -> None:
        """Tell of the taker who did not get him, which is all the event says."""
        relation = Relation(transfer.takeover_userid, transfer.external_userid, 0, 0)
        self.emit_change("transfer_fail", relation, FailReason=reason)

    def _former_relation(self, transfer: Transfer) -> Relation | None:
        return self.world.find_relation(transfer.handover_userid, transfer.external_userid)
