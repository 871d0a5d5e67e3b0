"""Comparing staff, tags and customers with the platform, and repairing what differs."""

from functools import partial

from customers.actions.customer_walk import walk_customers
from customers.actions.directory import apply_directory
from customers.actions.refreshing import read_directory
from customers.actions.stages import ensure_stages
from customers.actions.sync_run import Part, SyncRun, run_parts
from customers.actions.tag_catalogue import apply_tag_groups
from scrm.jobs.actions.running import register_job


def register_jobs() -> None:
    """Make each part a job of its own; the sync of everything is in groups/actions/sync.py."""
    for name, part in PARTS.items():
        register_job(f"sync.{name}", partial(run_parts, {name: part}))


def sync_staff(run: SyncRun) -> None:
    """Compare departments, staff, and who may talk to customers."""
    ensure_stages(run.corp)
    directory = read_directory(run.channel, ask=run.ask_in_a_row)
    counts = apply_directory(directory, corp=run.corp, now=run.clock())
    run.note(read=counts.platform, part="staff")
    run.finish("staff", {"staff": counts.as_dict()})


def sync_tags(run: SyncRun) -> None:
    """Compare the platform's tags and their groups."""
    groups = run.ask(run.channel.tags.groups)
    counts = apply_tag_groups(groups, corp=run.corp, now=run.clock())
    run.note(read=counts.platform, part="tags")
    run.finish("tags", {"tags": counts.as_dict()})


PARTS: dict[str, Part] = {"staff": sync_staff, "tags": sync_tags, "customers": walk_customers}
