"""Measurements on a GPU, in parts that resume: what `genrec-bench gpu-report` runs.

setting.py            what is measured, on which data, at which size (true or tiny)
steps.py              a part is a list of steps; a step that was measured is kept and not measured again
timing.py             synchronised clocks, medians after warm-up
rates.py              operations and bytes, for MFU and for shares of the card's ceilings
ceilings.py           part `ceilings`: what the card reaches at best
bases.py              checkpoints with random weights in the exact shapes, and real texts to run them on
finetuning.py         one fine-tuning run, measured
generation.py         one way to generate, measured
published_loop.py     the published generation loop, plain
cost_rows.py          part `cost`: LLaMA 1B, 3B and 8B at true size
generation_speed.py   part `generation-speed`: from the published loop to ours, one technique at a time
finetune_speed.py     part `finetune-speed`: padding against grouping and packing
records.py            records of kind cost-only
parts.py              the table of parts

Everything runs on a CPU too, at tiny size: that is how it is tested.
"""
