"""A two-layer language model with random weights and its tokenizer, for the smallest size and the tests."""

from __future__ import annotations

from typing import Any

CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SIZES = {"tiny": 32}  # hidden size
_SEED = 20380
_VOCABULARY = 512
_TEXT = """You are a Python programmer. Answer with one ```python block and nothing else.
Write a function that returns the sum of two numbers. Return the list of all values of a string.
Name the function of the text that takes a list of words.
The program is wrong. Write the corrected function. Traceback (most recent call last): AssertionError TypeError
assert add(2, 3) == 5 and add([1, 2], ["a", "b"]) == True or False is not None
```python
def add(a, b):
    return a + b
def count(values, text, words, numbers, items):
    result = []
    for value in values:
        if value not in result and len(value) > 0:
            result.append(value)
    return sorted(set(result), key=lambda item: item[0], reverse=True)
    while len(items) >= 1: total += int(sum(numbers) / 2) * range(10) % max(1, 2)
    try: return dict(zip(words, numbers)).items()
    except ValueError: return ", ".join(str(word) for word in text.split())
```"""


def random_model(size: str) -> tuple[Any, Any]:
    """(model, tokenizer): a llama in float32 with random weights and ChatML's turns, equal on every call.

    Args:
        size: a key of `SIZES`.
    """
    import torch
    from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM

    tokenizer = _tokenizer()
    end = tokenizer.convert_tokens_to_ids("<|im_end|>")
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=SIZES[size],
        intermediate_size=2 * SIZES[size],
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=8192,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=end,
        pad_token_id=end,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED)
        model = LlamaForCausalLM(config).eval()
    model.generation_config = GenerationConfig(eos_token_id=end, pad_token_id=end)
    return model, tokenizer


def _tokenizer() -> Any:
    """Byte-level BPE trained on a fixed text: any text can be written, and equal texts give equal merges."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bare = Tokenizer(models.BPE())
    bare.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bare.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=_VOCABULARY,
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    bare.train_from_iterator(_TEXT.splitlines(), trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=bare, eos_token="<|im_end|>", pad_token="<|im_end|>", chat_template=CHAT_TEMPLATE
    )
