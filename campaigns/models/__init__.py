from campaigns.models.campaigns import Campaign, Recipient, RecipientQuerySet, Reminder, Task
from campaigns.models.materials import Material
from campaigns.models.sops import Enrolment, Sop, Step, StepRun

__all__ = [
    "Campaign",
    "Enrolment",
    "Material",
    "Recipient",
    "RecipientQuerySet",
    "Reminder",
    "Sop",
    "Step",
    "StepRun",
    "Task",
]
