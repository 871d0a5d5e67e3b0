"""The long work of handovers."""

from customers.actions.handover.executing import EXECUTE, run_execute
from customers.actions.handover.polling import REFRESH, run_refresh
from customers.actions.handover.unassigned import run_reading
from customers.actions.leaving import READ_UNASSIGNED
from scrm.jobs.actions.running import register_job


def register_handover() -> None:
    register_job(EXECUTE, run_execute)
    register_job(REFRESH, run_refresh)
    register_job(READ_UNASSIGNED, run_reading)
