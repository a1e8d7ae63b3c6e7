"""The code that MLflow stores with a registered verifier and runs to load it; see served_generator.py."""

from pathlib import Path
from typing import Any

import mlflow

from mucode.tracking.questions import Attempt, base_folder


class ServedVerifier(mlflow.pyfunc.PythonModel):  # type: ignore[misc]  # mlflow is untyped
    """R_phi: attempts in, scores out; higher is better."""

    def load_context(self, context: Any) -> None:
        from mucode.verifier.model import load_verifier

        self.model = load_verifier(base_folder(context.model_config), Path(context.artifacts["weights"]))

    def predict(self, model_input: list[Attempt]) -> list[float]:
        problems = [attempt.problem() for attempt in model_input]
        return list(self.model.score(problems, [attempt.program for attempt in model_input]))


mlflow.models.set_model(ServedVerifier())  # how mlflow finds it; nothing else imports this file
