"""Generation by any server that speaks OpenAI's completions protocol, above all vLLM: on this machine, or on many GPUs.

The server gets the very token ids that `transformers` would read and returns those that it drew; where a reply ends is
then decided here, by the rule of every engine. The server's own stop string only spares it most of what would be cut.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from tqdm import tqdm

from mucode.generator.incremental import EngineRecord, Reply, SeedScope
from mucode.generator.stopping import StopRule, cut_text
from mucode.generator.stream import Stream
from mucode.generator.tokens import end_of_turn, prompt_tokens
from mucode.programs import program_in
from mucode.prompts import EXAMPLE, chat
from mucode.seeds import seed_for
from mucode.serving.endpoint import Endpoint, RequestRefused, Served, ServerGone
from mucode.serving.settings import ServeSettings
from mucode.types import Completion, MucodeError, Sampling, State

# After a closing fence, and never after ```python. A reply that a bare opening fence stops is continued
_CLOSED = "\n```\n"
_SEED_BITS = (1 << 53) - 1  # what every reader of JSON holds exactly


class ServerGenerator:
    """A `Generator` whose replies come from a server."""

    seed_scope: SeedScope = "none"  # a server that batches as requests arrive repeats no float bit

    def __init__(
        self,
        connect: Callable[[], Endpoint],
        tokenizer: Any,
        ends: frozenset[int],
        *,
        model: str = "",
        show_public_tests: bool = True,
        in_flight: int = 64,
        log_probabilities: bool = False,
        adapter: Adapter | None = None,
    ) -> None:
        """
        Args:
            connect: makes an endpoint; each stream of requests has one of its own.
            tokenizer: of the served model, with a chat template.
            ends: the tokens that end a turn.
            model: the name under which the server offers it; "" takes the only model of the server.
            show_public_tests: see `prompts.chat`.
            in_flight: requests at once; more wait here.
            log_probabilities: ask for them.
            adapter: what the server may load, if it does not offer the model yet.

        Raises:
            MucodeError: nothing answers, or the server does not offer this model.
        """
        self.connect, self.in_flight = connect, in_flight
        self._tokenizer, self._busy = tokenizer, threading.Lock()  # its fast half is not made for two threads
        self._rule, self._show_public_tests = StopRule(tokenizer, ends), show_public_tests
        self._log_probabilities, self._adapter = log_probabilities, adapter
        self._served, self.record = asyncio.run(self._introduced(model))

    def generate(self, states: Sequence[State], seeds: Sequence[int], sampling: Sampling) -> list[Completion]:
        """y_t for every state, in order. A request that fails lets all others finish.

        Raises:
            MucodeError: a prompt and its reply do not fit the model's context; or requests failed for good.
        """
        replies = [Reply(None)] * len(states)
        with self.open() as stream, tqdm(total=len(states), desc="generate", unit="reply", delay=2) as bar:
            for index, (state, seed) in enumerate(zip(states, seeds, strict=True)):
                stream.submit(index, state, seed, sampling)
            for index, reply in stream:
                replies[index] = reply
                bar.update()
        return _all_completed(states, replies)

    def open(self) -> Stream:
        """Requests one by one, for a scheduler without barriers (`schedule.Streaming`)."""
        return Stream(self)

    async def reply(self, endpoint: Endpoint, prompt: list[int], state: State, seed: int, sampling: Sampling) -> Reply:
        """One reply; a failure of its request is a value.

        Raises:
            ServerGone: no request will be answered any more.
        """
        write = self._from_tokens if self.record.ends == "at a token" else self._from_text
        try:
            text, tokens, chances = await write(endpoint, prompt, seed, sampling)
        except ServerGone:
            raise
        except MucodeError as error:
            return Reply(None, f"{state.problem.id} at turn {state.turn}: {error}")
        chance = sum(chances) if chances else None
        return Reply(Completion(text, program_in(text, state.problem.stub), len(prompt), tokens, chance))

    def prompt(self, state: State, sampling: Sampling) -> list[int]:
        """The token ids of the chat.

        Raises:
            MucodeError: they and the longest reply do not fit the model's context.
        """
        with self._busy:
            tokens = prompt_tokens(self._tokenizer, chat(state, self._show_public_tests))
        limit, new = self._served.context, sampling.max_new_tokens
        if limit is not None and len(tokens) + new > limit:
            raise MucodeError(
                f"{state.problem.id} at turn {state.turn}: {len(tokens)} prompt and {new} new tokens exceed the "
                f"served context of {limit}: lower max_new_tokens or turns"
            )
        return tokens

    async def _introduced(self, model: str) -> tuple[Served, EngineRecord]:
        """Find out what the server offers and how much of the token protocol it understands."""
        endpoint = self.connect()
        try:
            offers = await endpoint.models()
            if self._adapter is not None and self._adapter.fits(offers, model):
                await endpoint.load_adapter(model, self._adapter.folder)
                # a card of an adapter says nothing of the context, which is its base's
                (base,) = [each for each in offers if each.name == self._adapter.base]
                offers = [Served(model, base.context)]
            served = _offered(offers, model, endpoint.url)
            prompts, ends = await self._understood(endpoint, served)
        finally:
            await endpoint.close()
        return served, EngineRecord("vllm", served.name, self.seed_scope, prompts, ends)

    async def _understood(
        self, endpoint: Endpoint, served: Served
    ) -> tuple[Literal["token ids", "text"], Literal["at a token", "in the text"]]:
        tokens, one = prompt_tokens(self._tokenizer, chat(State(EXAMPLE))), Sampling(0.0, 1.0, 1)
        try:
            answer = await endpoint.complete(_body(served.name, tokens, 0, one) | self._extensions())
        except RequestRefused:
            await endpoint.complete(_body(served.name, self._spelt(tokens), 0, one))
            return "text", "in the text"
        return "token ids", "in the text" if answer.tokens is None else "at a token"

    def _extensions(self) -> dict[str, Any]:
        """What vLLM (and who follows it) understands besides; the neutral values keep a server's defaults out."""
        neutral = {"top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0}
        asked = {"logprobs": 0} if self._log_probabilities else {}
        return (
            {"return_token_ids": True, "stop": [_CLOSED], "stop_token_ids": sorted(self._rule.ends)} | neutral | asked
        )

    async def _from_tokens(
        self, endpoint: Endpoint, prompt: list[int], seed: int, sampling: Sampling
    ) -> tuple[str, int, list[float]]:
        """(text, number of tokens, their log-probabilities)."""
        tokens: list[int] = []
        chances: list[float] = []
        while len(tokens) < sampling.max_new_tokens:
            rest = Sampling(sampling.temperature, sampling.top_p, sampling.max_new_tokens - len(tokens))
            own = seed_for(seed, "continued", len(tokens)) if tokens else seed
            answer = await endpoint.complete(_body(self._served.name, prompt + tokens, own, rest) | self._extensions())
            chances += answer.log_probabilities
            with self._busy:
                tokens, ended = self._rule.cut(tokens, answer.tokens or [])
            if ended or not answer.stopped or not answer.tokens:  # else the stop string was a bare opening fence
                break
        with self._busy:
            return self._rule.text(tokens), len(tokens), chances[: len(tokens)]

    async def _from_text(
        self, endpoint: Endpoint, prompt: list[int], seed: int, sampling: Sampling
    ) -> tuple[str, int, list[float]]:
        """The same without tokens: no stop string, as servers differ in whether it belongs to the text."""
        asked = self._spelt(prompt) if self.record.prompts == "text" else prompt
        answer = await endpoint.complete(_body(self._served.name, asked, seed, sampling))
        return cut_text(answer.text), answer.completion_tokens, []

    def _spelt(self, tokens: list[int]) -> str:
        with self._busy:
            text: str = self._tokenizer.decode(tokens, clean_up_tokenization_spaces=False)
        return text


@dataclass(frozen=True, slots=True)
class Adapter:
    """Trained adapters that a server with their base can load while it runs."""

    folder: Path
    base: str  # the name under which it must offer the base

    def fits(self, offers: Sequence[Served], model: str) -> bool:
        """Whether the server has the base and not the adapters."""
        names = {each.name for each in offers}
        return model not in names and self.base in names


@contextlib.contextmanager
def served_generator(
    base: Path,
    trained: Path | None = None,
    *,
    show_public_tests: bool = True,
    settings: ServeSettings | None = None,
) -> Iterator[ServerGenerator]:
    """pi_i behind the server that MUCODE_SERVER_URL names, else behind one of our own, which ends with the block.

    Args:
        base: folder of the base model, whose tokenizer and chat template are used either way.
        trained: folder of fine-tuned weights on that base; None or the base itself: pi_0.
        show_public_tests: see `prompts.chat`.
        settings: of a server of our own, and how many requests are under way at once.

    Raises:
        MucodeError: there is no server, none can be started, or it does not offer exactly these weights.
    """
    from mucode.serving.weights import weights_name
    from mucode.training.weights import ADAPTER

    own = None if trained is None or trained.resolve() == base.resolve() else trained
    adapter = None
    chosen = settings or ServeSettings()
    with contextlib.ExitStack() as stack:
        if url := os.environ.get("MUCODE_SERVER_URL"):
            connect = partial(Endpoint, url, key=os.environ.get("MUCODE_SERVER_KEY", ""))
            if own is not None and (own / ADAPTER).exists():
                adapter = Adapter(own.resolve(), weights_name(base))
        else:
            from mucode.serving.vllm import vllm_server

            server = stack.enter_context(vllm_server(base, own, chosen))
            connect = partial(Endpoint, server.url, lifeline=server.wait_until_up)
        tokenizer, ends = _language(base)
        yield ServerGenerator(
            connect,
            tokenizer,
            ends,
            model=weights_name(base, own),
            show_public_tests=show_public_tests,
            in_flight=chosen.sequences,
            log_probabilities=chosen.log_probabilities,
            adapter=adapter,
        )


def _language(base: Path) -> tuple[Any, frozenset[int]]:
    """A model's tokenizer and the tokens that end its turns."""
    from transformers import GenerationConfig

    from mucode.training.weights import load_tokenizer

    tokenizer = load_tokenizer(base)
    return tokenizer, end_of_turn(_Configured(GenerationConfig.from_pretrained(base)), tokenizer)


@dataclass(frozen=True, slots=True)
class _Configured:
    """The part of a model that says which tokens end a turn."""

    generation_config: Any


def _body(model: str, prompt: list[int] | str, seed: int, sampling: Sampling) -> dict[str, Any]:
    return {
        "model": model,
        "prompt": prompt,
        "max_tokens": sampling.max_new_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "seed": seed & _SEED_BITS,
    }


def _offered(models: Sequence[Served], name: str, url: str) -> Served:
    """The model of that name; without one, the server's only model."""
    found = [model for model in models if name in {"", model.name}]
    if len(found) != 1:
        offers = ", ".join(model.name for model in models) or "nothing"
        raise MucodeError(
            f"{url} offers {offers}, not {name or 'a single model'}: serve these weights under that name "
            "(`python -m mucode.serving name BASE TRAINED` tells it)"
        )
    return found[0]


def _all_completed(states: Sequence[State], replies: Sequence[Reply]) -> list[Completion]:
    done = [reply.completion for reply in replies if reply.completion is not None]
    failures = [reply.failure for reply in replies if reply.completion is None]
    if failures:
        raise MucodeError(f"{len(failures)} of {len(states)} replies failed for good; the first: {failures[0]}")
    return done
