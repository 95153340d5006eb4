"""Names of columns and keys that tools write, by the role they tell.

Recommenders, RecBole, RecTools, Elliot, LensKit, Cornac, Surprise, implicit, Spark ALS, LightFM, faiss,
MS MARCO, TREC, ranx and the Amazon data all have their own; case, blanks and punctuation do not matter.
"""

from __future__ import annotations

from collections.abc import Iterable

USER = frozenset(
    """user userid uid useridx users u reviewer reviewerid customer customerid visitor visitorid member
    memberid account accountid client clientid query queryid qid session sessionid""".split()
)
ITEM = frozenset(
    """item itemid iid itemidx asin parentasin productid prodid sku articleid movieid trackid songid bookid
    newsid docid docno documentid pid passageid recommendeditem recommendeditemid recommendation predicteditem
    recitem recitemid""".split()
)
MAYBE_ITEM = frozenset("i product prod article movie track song book news doc document passage".split())
"""Items, where nothing else is; else they may be titles."""
LIST = frozenset(
    """items itemids itemlist itemidlist itemidslist asins products productids recommendations recommendation
    recommended recommendeditems recommendeditemids recommendationlist recommendedlist recs reco recos rec
    prediction predictions predicted predicteditems preditems preds pred topk topn topitems toplist top
    toprecommendations ranking rankings ranked rankeditems rankedlist rankinglist candidates results list
    ids indices nextitems docs docids""".split()
)
SCORE = frozenset(
    """score scores prediction predictions pred preds predicted predictedrating predictedscore predrating
    predscore rating ratings est estimate estimates estimated similarity similarities sim relevance rel
    probability probabilities prob probs proba logit logits loglikelihood loglikelihoods logprob logprobs
    confidence preference utility itemscore itemscores recscore recscores""".split()
)
"""The larger, the better. `value` and `weight` would say too little."""
DISTANCE = frozenset("distance distances dist dists l2 l2distance cosinedistance loss losses".split())
"""The smaller, the better."""
RANK = frozenset(
    """rank ranks ranking rankposition rankpos position positions pos place itemrank recrank order
    itemorder""".split()
)
"""1 or 0 is the best."""
INDEX = frozenset(
    ["", "unnamed0", "unnamed01", "index", "indexlevel0", "level0", "rowid", "rownumber", "rownum"]
)
"""Numbers of the rows, as a data frame writes them."""
TEXT = frozenset(
    """text texts generatedtext generatedtexts generatedsequence generatedsequences generation generations
    generated output outputs outputtext outputtexts completion completions response responses answer answers
    prediction predictions candidate candidates sequence sequences title titles beams hypotheses
    content""".split()
)
LIKELIHOOD = frozenset(
    """loglikelihood loglikelihoods logprob logprobs logprobability logprobabilities cumulativelogprob
    cumulativelogprobs sequencescore sequencescores sequencesscores score scores beamscore beamscores
    likelihoods""".split()
)
TOKENS = frozenset("tokens numtokens tokencount tokencounts ntokens lengths".split())


def plain(name: str) -> str:
    """Give a name without case, blanks, punctuation and RecBole's type.

    >>> plain("user_id:token"), plain(" userID"), plain("Unnamed: 0")
    ('userid', 'userid', 'unnamed0')
    """
    head, mark, kind = name.partition(":")
    kept = head if mark and kind in _RECBOLE_TYPES else name
    return "".join(letter for letter in kept.casefold() if letter.isalnum())


def positions(names: Iterable[str], wanted: frozenset[str]) -> list[int]:
    """Give the positions of the columns that one of these names tells."""
    return [at for at, name in enumerate(names) if plain(name) in wanted]


_RECBOLE_TYPES = ("token", "token_seq", "float", "float_seq")
