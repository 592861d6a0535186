"""Words without their number and in American spelling, by rule."""

from __future__ import annotations

import re
from functools import lru_cache

_IRREGULAR = {
    "men": "man",
    "women": "woman",
    "children": "child",
    "people": "person",
    "feet": "foot",
    "teeth": "tooth",
    "geese": "goose",
    "mice": "mouse",
    "wolves": "wolf",
    "leaves": "leaf",
    "knives": "knife",
    "loaves": "loaf",
    "halves": "half",
    "shelves": "shelf",
}
_UNCHANGED = frozenset(  # words that only look like plurals, or mean something else than their singular
    (
        *(
            "news",
            "series",
            "species",
            "lens",
            "gas",
            "means",
            "chess",
            "always",
            "perhaps",
            "blues",
            "glasses",
            "arms",
        ),
        *("customs", "goods", "savings", "contents", "clothes", "spirits", "works", "manners", "spectacles", "pants"),
    )
)
_SINGULAR = (
    (re.compile(r"(?<=[^aeiou])ies$"), "y"),
    (re.compile(r"(?<=ss|sh|ch|zz)es$|(?<=x)es$|(?<=[^aeiou]o)es$"), ""),
    (re.compile(r"(?<=[^su])s$"), ""),
)
_AMERICAN = (
    (re.compile(r"(?<=[a-z]{2})our(?=$|s$|al|ed$|ing$|ful|ite|able|y$|hood)"), "or"),
    (re.compile(r"(?<=[a-z]{3})is(?=e$|es$|ed$|ing$|er$|ation)"), "iz"),
    (re.compile(r"(?<=[a-z]{3}[^aeiou])ys(?=e$|es$|ed$|ing$)"), "yz"),
    (re.compile(r"(?<=[^aeiou][tb])re(?=s?$)|(?<=[ei]t)re(?=s?$)|(?<=[a-z]{2}at)re(?=s?$)"), "er"),
    (re.compile(r"(?<=[a-z]{2})ogue(?=s?$)"), "og"),
    (re.compile(r"(?<=[aeiou]l)l(?=ed$|ing$|er$|ers$)"), ""),
    (re.compile(r"(?:(?<=def)|(?<=off)|(?<=lic)|(?<=pret))ence(?=s?$)"), "ense"),
    (re.compile(r"^grey"), "gray"),
    (re.compile(r"(?<=^[a-z])ae|(?<=^an)ae(?=m|s)|(?<=^orthop)ae"), "e"),
    (re.compile(r"(?<=gr)amme(?=s?$)"), "am"),
)


@lru_cache(maxsize=8192)
def spelt(word: str) -> str:
    if len(word) > 3:
        for form, american in _AMERICAN:
            word = form.sub(american, word)
    return word


@lru_cache(maxsize=8192)
def stem(word: str) -> str:
    word = _IRREGULAR.get(word, word)
    if len(word) > 3 and word not in _UNCHANGED:
        for form, ending in _SINGULAR:
            word, changed = form.subn(ending, word)
            if changed:
                break
    if len(word) > 3 and word.endswith("ie"):
        word = f"{word[:-2]}y"  # as "movies" and "berries" are read alike
    return spelt(word)
