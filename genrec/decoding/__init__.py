"""Decoding: many continuations of many prompts, fast, and the same in any batch.

prompt_tokens.py  text -> token ids, cut on the left; the prefix that all prompts share
cache.py          keys and values, each position written once
attention.py      grouped-query attention that copies no keys
branches.py       a prompt run once, and its continuations over that one copy
beam.py           beam search, free or inside a trie
sample.py         temperature, top-k and top-p sampling with a random stream a prompt
trie.py           the catalogue's texts as token sequences, on the device
batches.py        prompts of like length together, as many as the memory holds
techniques.py     what makes it fast, each with a switch
engine.py         one batch after another, halved when memory runs out
candidates.py     how likely given texts are after a prompt, without a search
seen_texts.py     which texts of the catalogue a user's history rules out

Everything here needs torch; `genrec.generation.generator` imports it when it generates.
"""
