"""New problems: from a drop folder or a Hub revision, through four checks, into the versioned file that training reads."""

from mucode.collect.command import Collection, collect

__all__ = ["Collection", "collect"]
