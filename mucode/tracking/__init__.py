"""MLflow: runs, registered models, and loading them back. The only package that imports mlflow, and only when used."""

from mucode.tracking.models import (
    ModelFiles,
    Registry,
    Version,
    load_registered_generator,
    load_registered_verifier,
    open_registry,
    registry_to_read,
)
from mucode.tracking.runs import keep_record, log_stage, send_records, tags_of, track
from mucode.tracking.server import TrackingUnavailable, tracking_uri

__all__ = [
    "ModelFiles",
    "Registry",
    "TrackingUnavailable",
    "Version",
    "keep_record",
    "load_registered_generator",
    "load_registered_verifier",
    "log_stage",
    "open_registry",
    "registry_to_read",
    "send_records",
    "tags_of",
    "track",
    "tracking_uri",
]
