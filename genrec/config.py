"""Typed settings of a generative recommender: one class a stage, the published values as defaults."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from bench.errors import unknown_name
from bench.retrieval.item_text import ItemFormat
from bench.retrieval.settings import RetrieveSettings
from genrec.engines.interface import EngineName
from genrec.engines.settings import EndpointSettings, VllmSettings
from genrec.generation.strategies import STRATEGIES
from genrec.prompted.settings import PromptedSettings, RerankSettings

PromptFormat = Literal["published", "compact", "instruction"]
Backend = Literal["auto", "unsloth", "peft", "full"]
Precision = Literal["auto", "bf16", "fp32"]
Batching = Literal["padded", "length_grouped", "packed"]
Optimizer = Literal["adamw", "adamw_8bit", "paged_adamw_8bit"]
Tracker = Literal["none", "tensorboard", "wandb", "mlflow"]


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ArchitectureSettings(_Settings):
    """Shape of a LLaMA trained from scratch, with its own byte-level BPE tokenizer."""

    vocab_size: int = Field(4096, ge=300)
    hidden_size: int = Field(96, ge=8)
    intermediate_size: int = Field(256, ge=8)
    layers: int = Field(4, ge=1)
    heads: int = Field(4, ge=1)
    kv_heads: int = Field(4, ge=1)
    tie_embeddings: bool = True
    rope_theta: float = 10_000.0
    initializer_range: float = Field(0.02, gt=0)
    """Standard deviation of fresh weights."""

    @model_validator(mode="after")
    def _divides(self) -> ArchitectureSettings:
        if self.hidden_size % self.heads or self.heads % self.kv_heads:
            raise ValueError("heads must divide hidden_size, and kv_heads must divide heads")
        return self


class FinetuneSettings(_Settings):
    """Training of the language model on one text a user."""

    backend: Backend = "auto"
    """auto: unsloth where it is installed and a GPU is there, else peft; full: all weights, no adapter."""
    four_bit: bool = True
    """Hold the base model as 4-bit NF4 with double quantisation; not with `full`."""
    precision: Precision = "auto"
    """auto: bf16 on a GPU that has it, else fp32."""
    lora_r: int = Field(16, ge=1)
    lora_alpha: int = Field(16, ge=1)
    lora_dropout: float = Field(0.0, ge=0, lt=1)
    lora_layers: int | None = Field(None, ge=1)
    """Adapters in the upper so many blocks only: nothing below them is computed backwards. None: in all."""
    max_seq_length: int = Field(1024, ge=16)
    loss_on: Literal["text", "target", "lines"] = "text"
    """text: every token; target: the next item's line; lines: every item's line, each as if it were the
    next item (needs prompt: compact). Logits are computed where there is loss, and nowhere else."""
    batching: Batching = "padded"
    """How the texts of a step are laid out; all three give the same loss (see `genrec.training.batching`)."""
    batch_size: int = Field(4, ge=1)
    """Rows in one forward pass."""
    gradient_accumulation: int = Field(4, ge=1)
    """Texts in one optimizer step, as a multiple of batch_size."""
    learning_rate: float = Field(1e-4, gt=0)
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    warmup_steps: int = Field(300, ge=0)
    weight_decay: float = Field(0.01, ge=0)
    max_grad_norm: float = Field(1.0, gt=0)
    optimizer: Optimizer = "adamw_8bit"
    epochs: float = Field(10, gt=0)
    max_steps: int | None = Field(None, ge=1)
    patience: int = Field(3, ge=1)
    """Evaluations without a better validation loss before training stops."""
    eval_steps: int | None = Field(None, ge=1)
    """None: evaluate once an epoch."""
    eval_texts: int | None = Field(None, ge=1)
    """Validation texts in an evaluation, spread over all of them. None: all."""
    checkpoint_minutes: float = Field(10, gt=0)
    """A checkpoint is written this often, and at each evaluation; it does not change the result."""
    gradient_checkpointing: bool = True
    train_windows: int = Field(1, ge=1)
    """Texts a user in an epoch, the newest first; 1 is the published choice. Each ends one item earlier,
    or, with `loss_on: lines`, where the one after it begins."""
    report_to: Tracker = "none"


class GenerateSettings(_Settings):
    """Writing the text of the next item."""

    strategy: str = "beam"
    """A name in `genrec.generation.strategies`."""
    num_beams: int = Field(5, ge=1)
    """Beams kept, and texts returned, by beam and constrained; texts drawn by sample."""
    length_penalty: float = 1.0
    """Beam search ranks texts by log-likelihood / tokens ** length_penalty; constrained does not use it."""
    calrec_samples: int = Field(32, ge=1)
    temperature: float = Field(0.5, gt=0)
    top_k: int = Field(50, ge=0)
    top_p: float = Field(0.95, gt=0, le=1)
    exclude_seen: bool = False
    """constrained: texts of the user's own items are not written, so that no beam is spent on them."""
    stop: Literal["end", "decided"] = "end"
    """constrained: write each text to its end, or stop where only one item's text goes on; the likelihood is
    then that of the tokens written."""
    max_new_tokens: int = Field(50, ge=1)
    max_seq_length: int = Field(1024, ge=16)
    """Prompts are cut on the left to max_seq_length - max_new_tokens, or less where the strategy
    `constrained` has longer catalogue texts: it writes them to their end."""
    precision: Precision = "auto"
    """auto: bf16 on a GPU that has it, else fp32; bf16 on a CPU pays where it has instructions for it."""
    token_budget: int | None = Field(None, ge=64)
    """Tokens in one batch: users x (longest prompt + continuations x new tokens). None: found from
    the free memory of the GPU, or 16,384 on a CPU."""

    @field_validator("strategy")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in STRATEGIES:
            raise ValueError(str(unknown_name("strategy", name, STRATEGIES)))
        return name

    @property
    def continuations(self) -> int:
        """Continuations of a prompt that are written at one time."""
        return int(getattr(self, STRATEGIES[self.strategy].continuations))

    @model_validator(mode="after")
    def _room(self) -> GenerateSettings:
        if self.max_new_tokens >= self.max_seq_length:
            raise ValueError("max_new_tokens must be below max_seq_length")
        return self

    @model_validator(mode="after")
    def _inside_a_catalogue(self) -> GenerateSettings:
        if self.strategy != "constrained" and (self.exclude_seen or self.stop == "decided"):
            raise ValueError("exclude_seen and stop: decided need strategy: constrained")
        return self


class ScoreSettings(_Settings):
    """Ordering the candidates of a cheaper model by their likelihood (see `genrec.candidate_ranker`)."""

    row: str = "text-co-visit"
    """Name of the model whose lists hold the candidates."""
    top: int = Field(50, ge=1, le=50)
    """Candidates a user: the first so many unseen items of the row's list."""
    without_history: float = Field(0.0, ge=0, le=1)
    """Share of a text's log-likelihood without any history that is taken off: 1 is pointwise mutual
    information, which takes the advantage of short and popular titles away."""
    row_weight: float = Field(0.0, ge=0)
    """Weight of -log(place in the row's list), added to the log-likelihood."""


class Preset(_Settings):
    """All settings of one generative recommender."""

    base_model: str | None = None
    """A Hugging Face name, a local folder, a `.gguf` file, or `package:<name>` for an installed package that
    holds one; None for a model trained from scratch."""
    revision: str | None = None
    architecture: ArchitectureSettings | None = None
    needs_gpu: bool = False
    """Skip this model on a machine without a CUDA GPU."""
    item_format: ItemFormat = "title"
    """plain: the title alone, without a year at its end."""
    title_words: int | None = Field(None, ge=1)
    """Words of a title that are written; with `plain` only."""
    prompt: PromptFormat = "published"
    """See `genrec.prompt_format`; instruction, for prompted and rerank: `genrec.prompted.instructions`."""
    history_items: int | None = Field(None, ge=1)
    """The newest so many items of a history are told. None: all that fit."""
    finetune: FinetuneSettings = FinetuneSettings()
    generate: GenerateSettings = GenerateSettings()
    engine: EngineName = "own"
    """Who writes the texts: our own engine, vLLM, or a server that speaks the OpenAI interface (see
    `genrec.engines`)."""
    vllm: VllmSettings = VllmSettings()
    endpoint: EndpointSettings = EndpointSettings()
    """The server; read by the engine `openai` alone, which reads no setting of weights and training."""
    chat: bool = False
    """A prompt is one message of a user, and the text its answer; else the text goes on behind the prompt."""
    retrieve: RetrieveSettings = RetrieveSettings()
    score: ScoreSettings | None = None
    prompted: PromptedSettings | None = None
    rerank: RerankSettings | None = None
    weights_of: str | None = None
    """Name of the preset whose fine-tuned weights are used, training being the same. None: its own."""

    @model_validator(mode="after")
    def _one_origin(self) -> Preset:
        if (self.base_model is None) == (self.architecture is None):
            raise ValueError("give exactly one of base_model and architecture")
        return self

    @model_validator(mode="after")
    def _engine_fits(self) -> Preset:
        if self.engine == "vllm" and STRATEGIES[self.generate.strategy].constrained:
            raise ValueError(
                "engine: vllm does not tell the likelihood of every token, which generate.strategy: "
                "constrained needs; use engine: own, or the strategies beam, sample and calrec"
            )
        if self.engine != "openai":
            return self
        if self.endpoint.base_url is None or self.endpoint.model is None:
            raise ValueError(
                "engine: openai needs endpoint.base_url and endpoint.model (--base-url, --model)"
            )
        searched = not STRATEGIES[self.generate.strategy].drawn
        if searched and (self.generate.strategy, self.generate.num_beams) != ("beam", 1):
            raise ValueError(
                "engine: openai knows generate.strategy: sample and calrec, and beam with num_beams: 1 (the "
                f"likeliest token each time), not {self.generate.strategy}:{self.generate.num_beams}"
            )
        if self.generate.continuations > 1 and not self.endpoint.likelihoods:
            raise ValueError("endpoint.likelihoods: false leaves several texts a prompt without an order")
        return self

    @model_validator(mode="after")
    def _formats_fit(self) -> Preset:
        if self.title_words is not None and self.item_format != "plain":
            raise ValueError("title_words needs item_format: plain")
        if self.item_format == "plain" and self.prompt == "published":
            raise ValueError("item_format: plain needs prompt: compact; the published one names its format")
        if self.finetune.loss_on == "lines" and (self.prompt != "compact" or self.history_items is None):
            raise ValueError("finetune.loss_on: lines needs prompt: compact and a number of history_items")
        return self

    @model_validator(mode="after")
    def _untrained_fits(self) -> Preset:
        parts = [part for part in (self.prompted, self.rerank) if part is not None]
        if (self.prompt == "instruction") != (len(parts) == 1) or len(parts) > 1:
            raise ValueError("prompt: instruction goes with one of the sections prompted and rerank")
        if self.chat and self.engine != "openai" and not parts:
            raise ValueError("chat: true is for models that are asked as they come: prompted and rerank")
        if parts and self.generate.continuations != 1:
            raise ValueError("prompted and rerank read one answer a user: generate.num_beams: 1")
        if parts and STRATEGIES[self.generate.strategy].constrained:
            raise ValueError("prompted and rerank write free text: generate.strategy: beam or sample")
        if self.prompted and self.retrieve.list_rule == "calrec":
            raise ValueError(
                "prompted: the lines of an answer have no likelihoods of their own for list_rule: calrec"
            )
        return self

    @model_validator(mode="after")
    def _backend_fits(self) -> Preset:
        if self.architecture is not None and self.finetune.backend != "full":
            raise ValueError("a model trained from scratch needs finetune.backend: full")
        if self.finetune.backend == "full" and self.finetune.four_bit:
            raise ValueError("finetune.backend: full trains all weights and needs finetune.four_bit: false")
        if self.finetune.backend == "unsloth" and self.finetune.batching == "packed":
            raise ValueError("finetune.batching: packed needs finetune.backend: peft or full")
        if self.generate.precision != "auto" and self.finetune.four_bit:
            raise ValueError(
                "generate.precision needs finetune.four_bit: false; 4-bit weights have their own"
            )
        if self.finetune.lora_layers is not None and self.finetune.backend in ("full", "unsloth"):
            raise ValueError("finetune.lora_layers needs finetune.backend: peft")
        return self


def settings_digest(*parts: BaseModel | Mapping[str, Any] | str) -> str:
    """SHA-256 (first 16 hex digits) over settings: the key of an artefact made from them."""
    plain = [part.model_dump(mode="json") if isinstance(part, BaseModel) else part for part in parts]
    text = json.dumps(plain, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
