"""The engine `vllm`: a process of its own, so that its packages may be others than ours.

engine.py   prompts in, texts out; starts the process and reads what it writes
process.py  that process: vLLM and nothing of ours but the search
search.py   our beam search over requests for one token, in plain Python
parity.py   do both engines write the same on the same weights?

vLLM's own beam search is not used: it values a text by its likelihood over prompt and text together, never
stops early, and keeps only its own best; ours takes as many requests a step and gives our texts.
"""
