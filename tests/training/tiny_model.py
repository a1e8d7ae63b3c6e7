"""A base model small enough to train in a second, its byte-level tokenizer, and chat templates of three families."""

from __future__ import annotations

import hashlib
from pathlib import Path

from mucode.training.settings import TrainingSettings

CHATML = (
    "{% for m in messages %}{% if loop.first and m['role'] != 'system' %}<|im_start|>system\nBe brief.<|im_end|>\n"
    "{% endif %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
QWEN = (
    "{%- if messages[0].role == 'system' -%}{{- '<|im_start|>system\n' + messages[0].content + '<|im_end|>\n' -}}"
    "{%- else -%}{{- '<|im_start|>system\nYou are Qwen.<|im_end|>\n' -}}{%- endif -%}"
    "{%- for m in messages -%}{%- if m.role != 'system' or not loop.first -%}"
    "{{- '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>' + '\n' -}}{%- endif -%}{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\n' -}}{%- endif -%}"
)
LLAMA = (
    "{{- bos_token -}}{%- for m in messages -%}"
    "{{- '<|start_header_id|>' + m['role'] + '<|end_header_id|>\n\n' + m['content'] | trim + '<|eot_id|>' -}}"
    "{%- endfor -%}{%- if add_generation_prompt -%}"
    "{{- '<|start_header_id|>assistant<|end_header_id|>\n\n' -}}{%- endif -%}"
)
TEMPLATES = {"smollm2": CHATML, "qwen2.5": QWEN, "llama3": LLAMA}
SPECIALS = ["<|begin_of_text|>", "<|im_start|>", "<|im_end|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]


def tiny_base(folder: Path, family: str = "smollm2", seed: int = 0) -> Path:
    """A two-layer random model (hidden 32) and its tokenizer, saved to `folder`.

    The Llama-3 family's tokenizer adds a BOS by itself, as the real one does: tokenize its chat carelessly and get two.
    """
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from mucode.training.weights import quiet

    tokenizer = _tokenizer(family)
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=4096,
        tie_word_embeddings=True,
        initializer_range=0.3,  # a random model with opinions: its logits spread enough for adapters to move them
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=tokenizer.bos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with quiet():
        LlamaForCausalLM(config).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    return folder


def _tokenizer(family: str):  # type: ignore[no-untyped-def]  # transformers is untyped here
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={letter: place for place, letter in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(SPECIALS)
    if family == "llama3":
        bos = (SPECIALS[0], tokenizer.token_to_id(SPECIALS[0]))
        tokenizer.post_processor = processors.TemplateProcessing(single=f"{bos[0]} $A", special_tokens=[bos])
    end = "<|eot_id|>" if family == "llama3" else "<|im_end|>"
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=SPECIALS[0],
        eos_token=end,
        pad_token=end,
        chat_template=TEMPLATES[family],
    )


def tiny_settings(**changes: float | int | str) -> TrainingSettings:
    values = {
        "learning_rate": 1e-2,
        "epochs": 2,
        "batch_size": 4,
        "accumulation": 1,
        "max_tokens": 512,
        "lora_rank": 4,
        "lora_alpha": 8,
        "lora_dropout": 0.0,
        "weight_decay": 0.0,
        "warmup_steps": 0,
        "schedule": "linear",
        "adam_epsilon": 1e-5,
        "max_gradient_norm": 1.0,
        "dtype": "float32",
    }
    return TrainingSettings(**(values | changes))  # type: ignore[arg-type]


def folder_digests(folder: Path) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(folder.iterdir())}
