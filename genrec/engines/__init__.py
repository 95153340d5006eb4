"""Engines: who writes the texts. Prompts in, texts with log-likelihoods out, whichever it is.

interface.py   what an engine is
opening.py     a preset's engine with its weights, its store and the key of its texts
settings.py    settings of the engines that are not our own
endpoint/      a server that speaks the OpenAI interface
vllm_process/  vLLM, in a process of its own

Our own engine lives in `genrec.decoding`.
"""
