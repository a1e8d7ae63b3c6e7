"""pi: engines behind the `Generator` protocol, the base model they start from, and the scripted double."""

from __future__ import annotations

from .engines import load_generator

__all__ = ["load_generator"]
