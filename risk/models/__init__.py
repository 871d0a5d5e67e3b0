from risk.models.archive import Agreement, ArchiveCursor, ArchivedMessage
from risk.models.incidents import Incident
from risk.models.rules import Lexicon, Publication, RiskRule, Severity

__all__ = [
    "Agreement",
    "ArchiveCursor",
    "ArchivedMessage",
    "Incident",
    "Lexicon",
    "Publication",
    "RiskRule",
    "Severity",
]
