"""A language model that is asked and not trained: for titles, or for an order of a cheap row's candidates.

settings.py      how many titles, examples, candidates
instructions.py  what it is told
answers.py       what is read out of its answers
weights.py       its weights, as they come
recommender.py   `prompted`: it writes titles
reranker.py      `rerank`: it orders candidates
position.py      whether the order that it is shown sways it
trial.py         `genrec-bench rerank`: the order it gives beside the row's own, on validation users
"""
