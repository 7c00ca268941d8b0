"""The voices that espeak-ng speaks English with: who there is, who is left out and why, who is in which split.

A voice is an accent and a variant, as in "en-us+f2". The variant is the speaker: it sets pitch, timbre and breath. The
accent sets how words are pronounced. Splits are by speaker: nobody heard in training is heard in validation or test.
Variants that are versions of one person ("steph", "steph2", "steph3") count as one speaker for this.
"""

import re

import numpy as np

from course_lib.errors import CourseError

DEFAULT_VOICE = "en-us+m3"
ACCENTS = {  # British English is "en": espeak-ng refuses "en-gb"
    "en": "Great Britain",
    "en-us": "America",
    "en-us-nyc": "New York City",
    "en-gb-scotland": "Scotland",
    "en-gb-x-rp": "Received Pronunciation",
    "en-gb-x-gbclan": "Lancaster",
    "en-gb-x-gbcwmd": "West Midlands",
    "en-029": "Caribbean",
}
_NAMES = """
Alex Andrea Andy Annie AnxiousAndy Denis Diogo Gene Gene2 Henrique Hugo Jacky Lee Marco Mario Michael Mike Nguyen Reed
Storm Tweaky adam anika anikaRobot announcer antonio aunty belinda benjamin boris caleb croak david ed edward edward2
f1 f2 f3 f4 f5 fast grandma grandpa gustave ian iven iven2 iven3 iven4 john kaukovalta klatt klatt2 klatt3 klatt4
klatt5 klatt6 linda m1 m2 m3 m4 m5 m6 m7 m8 marcelo max michel miguel mike2 norbert pablo paul pedro quincy rob robert
sandro shelby steph steph2 steph3 travis victor zac
"""
VARIANTS = (*_NAMES.split(), "Mr serious")
_ROBOT = "a robot, with an echo over every word"
_WHISPER = "it whispers: hardly any voicing, so that vowels fade and b sounds like p"
EXCLUDED = {
    "Alicia": "an echo over every word, and little voicing",
    "Demonic": "an echo over every word, and a rough voice on purpose",
    **dict.fromkeys(["RicishayMax", "RicishayMax2", "RicishayMax3", "UniRobot"], _ROBOT),
    **dict.fromkeys([f"robosoft{number}" for number in ("", *range(2, 9))], _ROBOT),
    **dict.fromkeys(["whisper", "whisperf"], _WHISPER),
}
_WOMEN = "andrea annie anika aunty belinda f1 f2 f3 f4 f5 grandma linda shelby steph"
SHARES = {"test": 1 / 6, "validation": 1 / 8}  # of the women and of the men; the rest is "train"


def speaker(variant: str) -> str:
    """Whose variant this is: versions of one person have one name."""
    if re.fullmatch(r"[fm]\d", variant):  # f1 to f5 and m1 to m8 are different people
        return variant
    return {"anikarobot": "anika", "anxiousandy": "andy"}.get(variant.lower(), variant.lower().rstrip("23456"))


def split_speakers() -> dict[str, list[str]]:
    """The speakers of "train", "validation" and "test", drawn once, before anything was measured."""
    random = np.random.RandomState(2026)
    men = sorted({speaker(variant) for variant in VARIANTS} - set(_WOMEN.split()))
    splits: dict[str, list[str]] = {"train": [], "validation": [], "test": []}
    for group in (_WOMEN.split(), men):
        order = [group[number] for number in random.permutation(len(group))]
        for part, share in SHARES.items():
            chosen, order = order[: round(share * len(group))], order[round(share * len(group)) :]
            splits[part] += chosen
        splits["train"] += order
    return splits


def variants_of(part: str) -> list[str]:
    """The variants by whom a split is spoken."""
    people = split_speakers()[part]
    return [variant for variant in VARIANTS if speaker(variant) in people]


def check_voice(voice: str) -> None:
    """Refuse what espeak-ng would accept in silence, and speak with another voice.

    Raises:
        CourseError: there is no such accent or variant, or it was left out.
    """
    accent, _, variant = voice.partition("+")
    if accent not in ACCENTS:
        raise CourseError(f"There is no accent '{accent}' (in '{voice}'). There are: {', '.join(ACCENTS)}.")
    if variant in EXCLUDED:
        raise CourseError(f"The voice '{voice}' is left out: {EXCLUDED[variant]}. Take another, such as '{accent}+f2'.")
    if variant not in VARIANTS:
        raise CourseError(f"There is no variant '{variant}' (in '{voice}'). There are: {', '.join(VARIANTS)}.")
