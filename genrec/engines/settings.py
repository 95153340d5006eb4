"""Settings of the engines that are not our own."""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from bench.errors import ConfigError

KEY_VARIABLE = "GENREC_BENCH_API_KEY"


class VllmSettings(BaseModel):
    """vLLM in a process of its own (see `genrec.engines.vllm_process`)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    parity: float = Field(0.9, ge=0, le=1)
    """A run is refused where the five texts of both engines overlap by less, on average over users."""
    parity_users: int = Field(200, ge=1)
    """Users whose texts both engines write first, spread evenly."""
    gpu_memory: float = Field(0.85, gt=0, le=1)
    """Share of the GPU's memory that vLLM takes."""
    eager: bool = False
    """Leave out vLLM's compilation: sooner started, slower afterwards."""


class EndpointSettings(BaseModel):
    """A server that speaks the OpenAI interface, as the engine `openai` asks it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_url: str | None = None
    """Up to and with its version, e.g. http://localhost:8000/v1."""
    model: str | None = None
    """Name under which the server serves the model."""
    key_variable: str = Field(KEY_VARIABLE, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    """Environment variable that holds the key, if the server wants one. The key itself is no setting."""
    price_in: float | None = Field(None, ge=0)
    price_out: float | None = Field(None, ge=0)
    """Price of a million tokens read, and written, in the currency of the price list."""
    spend_limit: float | None = Field(None, gt=0)
    """What all requests for one row may cost together, runs before included; needs the prices."""
    concurrency: int = Field(4, ge=1, le=256)
    """Requests under way at one time."""
    timeout_seconds: float = Field(300, gt=0)
    """Until an answer must be there whole."""
    retries: int = Field(6, ge=0)
    """Further tries where the server was not reached, or says that it did no work (429, 500, 502, ...)."""
    resend_unanswered: bool = False
    """Send again what was sent and not answered in time. The server may charge for both: not with a limit."""
    texts_per_request: int | None = Field(None, ge=1)
    """Texts asked for in one request, by the parameter n. None: all of a prompt's."""
    stop: tuple[str, ...] = Field((), max_length=4)
    """A text ends before any of these."""
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    """How the server calls the limit of tokens."""
    likelihoods: bool = True
    """Ask for log-probabilities. Texts are ranked by them; without them one text a prompt can be written."""

    @field_validator("base_url")
    @classmethod
    def _is_an_address(cls, url: str | None) -> str | None:
        if url is None:
            return None
        parts = urlsplit(url)
        # not a ValueError: its message would repeat the address, and the password in it
        if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
            raise ConfigError(
                "endpoint.base_url holds more than an address (a password, or something behind '?' or '#'); "
                f"put the key into the environment variable that endpoint.key_variable names ({KEY_VARIABLE})"
            )
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("a base address looks like http://localhost:8000/v1")
        _ = parts.port  # raises ValueError for what is no port
        return url.rstrip("/")

    @model_validator(mode="after")
    def _limit_has_prices(self) -> EndpointSettings:
        if (self.price_in is None) != (self.price_out is None):
            raise ValueError("give both price_in and price_out, 0 for what is free")
        if self.spend_limit is not None and self.price_in is None:
            raise ValueError("spend_limit needs price_in and price_out")
        if self.spend_limit is not None and self.resend_unanswered:
            raise ValueError(
                "resend_unanswered may be charged twice for what spend_limit counts once: leave one out"
            )
        return self
