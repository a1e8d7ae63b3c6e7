"""The gate on execution labels: what they must satisfy before anything trains on them (Great Expectations)."""

from mucode.checks.audit import Auditor
from mucode.checks.gate import (
    GateReport,
    LabelFacts,
    LabelsRefused,
    accept_labels,
    check_labels,
    check_labels_file,
    validate_files,
)

__all__ = [
    "Auditor",
    "GateReport",
    "LabelFacts",
    "LabelsRefused",
    "accept_labels",
    "check_labels",
    "check_labels_file",
    "validate_files",
]
