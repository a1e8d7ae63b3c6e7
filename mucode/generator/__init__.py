"""pi: engines behind the `Generator` protocol, the base model they start from, and the scripted double."""

from __future__ import annotations

from .engines import ENGINES, Part, Playing, load_generator, open_generator

__all__ = ["ENGINES", "Part", "Playing", "load_generator", "open_generator"]
