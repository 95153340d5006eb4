"""Speed and cost at true size, on random weights: what `pytest bench -k speed_gpu --benchmark` runs on a GPU.

setting.py          what is measured, on which data, at which size (true or tiny)
timing.py           synchronised clocks, medians after warm-up
rates.py            operations and bytes, for MFU and for shares of the card's ceilings
ceilings.py         what the card reaches at best
bases.py            checkpoints with random weights in the exact shapes, and real texts to run them on
finetuning.py       one fine-tuning run, measured
finetuning_ways.py  padding against grouping and packing
generation.py       one way to generate, measured
generation_ways.py  from the published loop to ours, one technique at a time
published_loop.py   the published generation loop, plain
cost_rows.py        LLaMA 1B, 3B and 8B at true size
cost_records.py     records of kind cost-only

Everything runs on a CPU too, at tiny size: that is how it is tested.
"""
