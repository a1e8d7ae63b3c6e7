"""From a finished graph to registered, and perhaps promoted, models."""

from mucode.registry.register import RegisteredPair, RegistrationReport, register

__all__ = ["RegisteredPair", "RegistrationReport", "register"]
