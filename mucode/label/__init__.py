"""`mucode label`: execution labels for completions from anywhere, as a file or as a stream."""

from mucode.label.files import label
from mucode.label.stream import label_stream

__all__ = ["label", "label_stream"]
