"""µCode: multi-turn code generation through single-step rewards (Jain et al., ICML 2025)."""

__version__ = "0.1.0"
