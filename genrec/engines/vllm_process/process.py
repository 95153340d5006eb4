"""The process in which vLLM runs: `python -m genrec.engines.vllm_process.process`.

Started by `genrec.engines.vllm_process.engine` with the Python of the environment that holds vLLM. It reads
one JSON object a line, first what to load and then batches of prompts, and answers each with one line; it
ends when its input does. What vLLM prints goes to the standard error.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from genrec.engines.vllm_process.search import Tokens, beam_search


class Model:
    """vLLM with one model, and an adapter if there is one."""

    def __init__(self, load: dict[str, Any]) -> None:
        from vllm import LLM
        from vllm.lora.request import LoRARequest

        adapter = load.pop("adapter")
        self._adapter = LoRARequest("adapter", 1, adapter) if adapter else None
        self._llm = LLM(**load)

    def answer(self, asked: dict[str, Any]) -> list[list[list[Any]]]:
        """Give of each prompt its texts: tokens, log-likelihood, whether it ended."""
        rules = asked["rules"]
        if rules["strategy"] == "beam":
            found = beam_search(
                lambda sequences: self._next(sequences, 2 * rules["texts"]),
                [tuple(prompt) for prompt in asked["prompts"]],
                beams=rules["texts"],
                steps=rules["steps"],
                end=rules["end"],
                length_penalty=rules["length_penalty"],
            )
            return [[[text.tokens, text.log_likelihood, text.ended] for text in texts] for texts in found]
        return self._drawn(asked["prompts"], asked["seeds"], rules)

    def _next(self, sequences: list[Tokens], width: int) -> list[list[tuple[int, float]]]:
        from vllm import SamplingParams

        one = SamplingParams(max_tokens=1, logprobs=width, temperature=0.0, detokenize=False)
        found = []
        for output in self._generate(sequences, one):
            told = output.outputs[0].logprobs[0]
            best = sorted(((token, one.logprob) for token, one in told.items()), key=lambda pair: -pair[1])
            found.append(best[:width])
        return found

    def _drawn(
        self, prompts: list[list[int]], seeds: list[int], rules: dict[str, Any]
    ) -> list[list[list[Any]]]:
        from vllm import SamplingParams

        params = [
            SamplingParams(
                n=rules["texts"],
                seed=seed,
                temperature=rules["temperature"],
                top_k=rules["top_k"],
                top_p=rules["top_p"],
                max_tokens=rules["steps"],
                stop_token_ids=[rules["end"]],
                logprobs=0,
                detokenize=False,
            )
            for seed in seeds
        ]
        return [
            [
                [
                    list(text.token_ids),
                    sum(
                        told[token].logprob for token, told in zip(text.token_ids, text.logprobs, strict=True)
                    ),
                    text.token_ids[-1] == rules["end"],
                ]
                for text in output.outputs
            ]
            for output in self._generate(prompts, params)
        ]

    def _generate(self, sequences: Any, params: Any) -> Any:
        from vllm.inputs import TokensPrompt

        prompts = [TokensPrompt(prompt_token_ids=list(sequence)) for sequence in sequences]
        return self._llm.generate(prompts, params, use_tqdm=False, lora_request=self._adapter)


def main() -> None:
    """Load, say so, and answer until the input ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)
    model = Model(json.loads(sys.stdin.readline()))
    print(json.dumps({"ready": True}), file=answers)
    for line in sys.stdin:
        print(json.dumps({"texts": model.answer(json.loads(line))}), file=answers)


if __name__ == "__main__":
    main()
