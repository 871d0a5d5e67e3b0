"""Members who press something on a card of the app."""

from collections.abc import Mapping, Sequence

from scrm.sandbox.cards import INTERACTIVE, Card
from scrm.sandbox.events import Event, Value, Xml, write_cdata
from scrm.sandbox.people.acting import Actor, ActRefused, act


class CardActs(Actor):
    @act
    def presses_card(
        self,
        userid: str,
        msgid: str,
        key: str = "",
        *,
        selected: Mapping[str, Sequence[str]] | None = None,
    ) -> str:
        """Let a receiver press a button, or submit what he `selected` (question → options).

        Returns the response code that changes the card once; the event carries it too.
        """
        card = self._card_of(userid, msgid)
        if card.kind not in INTERACTIVE:
            raise ActRefused(f"nothing can be pressed on a card of kind {card.kind!r}")
        keys = _keys_of(card)
        chosen = key or keys[0]
        if chosen not in keys:
            raise ActRefused(f"no button {key!r}; there are {', '.join(keys)}")
        return self._press("template_card_event", userid, card, chosen, selected or {})

    @act
    def picks_from_card_menu(self, userid: str, msgid: str, key: str) -> str:
        """Let a receiver pick an action from the menu in the corner of a card."""
        card = self._card_of(userid, msgid)
        rows = card.content.get("action_menu", {}).get("action_list", [])
        if key not in [row["key"] for row in rows]:
            raise ActRefused(f"no action {key!r}")
        return self._press("template_card_menu_event", userid, card, key, {})

    def _card_of(self, userid: str, msgid: str) -> Card:
        member = self.member(userid)
        card = self.world.cards.cards.get(msgid)
        if card is None or member.userid not in card.receivers:
            raise ActRefused(f"{userid!r} has no card {msgid!r}")
        if msgid in self.world.app_messages_recalled:
            raise ActRefused(f"{msgid!r} was taken back")
        if member.userid in card.shown:
            raise ActRefused(f"{msgid!r} was changed already")
        return card

    def _press(
        self,
        event: str,
        userid: str,
        card: Card,
        key: str,
        selected: Mapping[str, Sequence[str]],
    ) -> str:
        code = self.world.cards.mint_code(card)
        self.world.ledger.append("card.pressed", msgid=card.msgid, userid=userid, key=key)
        fields: dict[str, Value] = {
            "FromUserName": self.member(userid).userid,
            "EventKey": key,
            "TaskId": card.task_id,
            "CardType": card.kind,
            "ResponseCode": code,
            "AgentID": self.world.credentials.agent_id,
        }
        if selected:
            fields["SelectedItems"] = _write_selected(selected)
        self.emit(Event(event, self.world.now(), fields))
        return code


def _keys_of(card: Card) -> list[str]:
    if card.kind == "button_interaction":
        return [row["key"] for row in card.content["button_list"] if row.get("key")]
    return [card.content["submit_button"]["key"]]


def _write_selected(selected: Mapping[str, Sequence[str]]) -> Xml:
    items = (
        f"<SelectedItem><QuestionKey>{write_cdata(question)}</QuestionKey><OptionIds>"
        + "".join(f"<OptionId>{write_cdata(option)}</OptionId>" for option in options)
        + "</OptionIds></SelectedItem>"
        for question, options in selected.items()
    )
    return Xml("".join(items))
