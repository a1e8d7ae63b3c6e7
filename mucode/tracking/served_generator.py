"""The code that MLflow stores with a registered generator and runs to load it ("models from code").

The weights lie beside it, the base model does not: another base than the one they were trained on is refused.
No `from __future__ import annotations` here: mlflow reads the signature off the types themselves.
"""

from pathlib import Path
from typing import Any

import mlflow

from mucode.tracking.questions import Request, base_folder
from mucode.types import Sampling, State


class ServedGenerator(mlflow.pyfunc.PythonModel):  # type: ignore[misc]  # mlflow is untyped
    """pi: requests in, replies out."""

    def load_context(self, context: Any) -> None:
        from mucode.generator.engines import load_generator  # here, because registering runs this file, too
        from mucode.training.weights import check_base, read_card

        config, weights = context.model_config, Path(context.artifacts["weights"])
        base = base_folder(config)
        check_base(base, read_card(weights), weights)  # the scripted double would not ask
        self.model = load_generator(base, weights, show_public_tests=config["show_public_tests"])
        self.sampling = Sampling(config["temperature"], config["top_p"], config["max_new_tokens"])

    def predict(self, model_input: list[Request]) -> list[str]:
        states = [State(request.problem()) for request in model_input]
        completions = self.model.generate(states, [request.seed for request in model_input], self.sampling)
        return [completion.reply for completion in completions]


mlflow.models.set_model(ServedGenerator())  # how mlflow finds it; nothing else imports this file
