"""What an administrator decides in the console."""

from collections.abc import Sequence

from scrm.sandbox.events import Event, Value
from scrm.sandbox.people.acting import Actor, ActRefused, act, undisturbed
from scrm.sandbox.strategies import (
    Node,
    Strategy,
    StrategyTag,
    StrategyTagGroup,
    as_range,
    choose_privileges,
)


class ConsoleActs(Actor):
    @act
    def set_trusted_ips(self, ips: Sequence[str], *, archive: bool = False) -> None:
        """List who may call the app (or read the archive); it takes about a minute to hold."""
        name = "archive_trusted_ips" if archive else "trusted_ips"
        self.world.ledger.append("console.trusted_ips", ips=list(ips), archive=archive)

        @undisturbed
        def take_hold(_: "ConsoleActs") -> None:
            setattr(self.world.options, name, list(ips))

        at = self.world.clock.now() + self.world.options.trusted_ip_seconds
        self.world.clock.schedule(at, lambda: take_hold(self))

    @act
    def shares_with_provider(self, external_userid: str, agent_id: int) -> str:
        """Let a provider's app know a customer; return what it calls him."""
        known = self.person(external_userid).external_userid
        text = self.world.foreign_ids.share(known, agent_id)
        self.world.ledger.append("console.shared", external_userid=known, agent_id=agent_id)
        return text

    @act
    def strategy_create_in_console(
        self, name: str, admins: Sequence[str], departments: Sequence[int]
    ) -> int:
        """Make a rule group of the first level, which no app may change; return its number."""
        unknown = [d for d in departments if d not in self.world.departments]
        if unknown:
            raise ActRefused(f"no department {unknown}")
        book = self.world.strategies
        strategy = book.add(
            Strategy(
                id=book.next_id(),
                parent_id=0,
                name=name,
                create_time=self.world.now(),
                admins=[self.member(userid).userid for userid in admins],
                privileges=choose_privileges({}, None),
                range=as_range(Node(2, str(d)) for d in departments),
                made_by_app=False,
            )
        )
        self.world.ledger.append("console.strategy_created", strategy_id=strategy.id, name=name)
        return strategy.id

    @act
    def strategy_tag_create_in_console(self, strategy_id: int, group_name: str, name: str) -> str:
        """Add a tag to a rule group, in a group of tags that may be new; return its id."""
        book, now = self.world.strategies, self.world.now()
        if strategy_id not in book.strategies:
            raise ActRefused(f"no rule group {strategy_id}")
        group = book.find_group_named(strategy_id, group_name)
        if group is None:
            group = StrategyTagGroup(
                self.world.mint_id("st"), strategy_id, group_name, now, made_by_app=False
            )
            book.groups[group.id] = group
            self._tell_of_tag("tag_group", group.id, strategy_id)
        if book.has_name(group, name):
            raise ActRefused(f"{group_name!r} has a tag {name!r} already")
        tag = book.add_tag(StrategyTag(self.world.mint_id("st"), name, group.id, now))
        self.world.ledger.append("console.strategy_tag_created", tag_id=tag.id, name=name)
        self._tell_of_tag("tag", tag.id, strategy_id)
        return tag.id

    def _tell_of_tag(self, tag_type: str, any_id: str, strategy_id: int) -> None:
        fields: dict[str, Value] = {
            "Id": any_id,
            "TagType": tag_type,
            "ChangeType": "create",
            "StrategyId": strategy_id,
        }
        self.emit(Event("change_external_tag", self.world.now(), fields))
