"""Customers and chats that get somebody else, as a group of a channel's methods."""

from collections.abc import Sequence

from scrm.channels.base import ItemAnswer, TransferStatePage, UnassignedPage
from scrm.channels.wecom import transfers
from scrm.channels.wecom.asking import Asker


class WeComHandover:
    def __init__(self, contact: Asker) -> None:
        self._contact = contact

    def unassigned_page(self, cursor: str) -> UnassignedPage:
        return transfers.unassigned_page(self._contact.post, cursor)

    def transfer_customers(
        self,
        from_userid: str,
        to_userid: str,
        external_userids: Sequence[str],
        *,
        is_resigned: bool,
        message: str = "",
    ) -> Sequence[ItemAnswer]:
        how = {"is_resigned": is_resigned, "message": message}
        return transfers.transfer_customers(
            self._contact.post, from_userid, to_userid, external_userids, **how
        )

    def transfer_states(
        self, from_userid: str, to_userid: str, cursor: str, *, is_resigned: bool
    ) -> TransferStatePage:
        return transfers.transfer_states(
            self._contact.post, from_userid, to_userid, cursor, is_resigned=is_resigned
        )

    def transfer_chats(
        self, chat_ids: Sequence[str], to_userid: str, *, is_resigned: bool
    ) -> Sequence[ItemAnswer]:
        return transfers.transfer_chats(
            self._contact.post, chat_ids, to_userid, is_resigned=is_resigned
        )
