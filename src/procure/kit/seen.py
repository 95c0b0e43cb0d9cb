"""Text that its reader can see: in a trail, what was signed has to be what is shown (Unicode TR 36, UTS 55).

Refused is what shows nothing (`Default_Ignorable_Code_Point` of Unicode 17's DerivedCoreProperties.txt, blank letters), what turns the
direction of the rest, parts lines unseen, stands for what is not there, or means what each writer likes (private use, code points
that are no characters). Some of it makes other characters what they are, and is taken there alone: joiners in the scripts that join
(UAX 31, section 2.3) and in emoji, variation selectors after what has variants (StandardizedVariants.txt, emoji-variation-sequences.txt,
the Ideographic Variation Database), tags in the flags of England, Scotland and Wales (UTS 51, annex C). Look-alike letters of other
scripts are the reader's to see: names are not identifiers here. Unassigned code points are taken: next year's Unicode assigns them.
"""

import re
import unicodedata

#: Marks in a row beyond which text is no writing (UAX 15, section 13: Stream-Safe Text Format). Normalisation sorts them in quadratic
#: time: a body of nothing else would hold up everybody for half a minute.
MARKS_MAX = 30

#: C0 and C1 but tab and line feeds, and halves of surrogate pairs. PostgreSQL stores no NUL, terminals obey the others.
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")

_HIDDEN = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u2800\u3164\ue000-\uf8ff"
    "\ufdd0-\ufdef\ufeff\uffa0\ufff0-\ufffc\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e00ff\U000e01f0-\U000e0fff"
    "\U000f0000-\U000fffff\U00100000-\U0010ffff"
    + "".join(f"{chr(at | 0xFFFE)}{chr(at | 0xFFFF)}" for at in range(0, 0xF0000, 0x10000))
)
_EMOJI = "\u2049\u203c\u2100-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001faff"
_IDEOGRAPHS = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
#: What joins, after what: the scripts from Arabic to the Indic ones, Tibetan and Myanmar, Khmer and Mongolian, emoji and their selector.
_JOINERS = "\u200c\u200d"
_JOINING = f"\u0600-\u0dff\u0f00-\u109f\u1780-\u18af\ua800-\ua8ff\ua980-\uabff\U00010a00-\U00011fff\ufe0f{_EMOJI}"
#: The selectors, each kind with what has variants.
_SELECTORS = {
    "\ufe00-\ufe0f": f"#*0-9\u00a9\u00ae\u1000-\u109f\ua840-\ua87f{_EMOJI}{_IDEOGRAPHS}",
    "\u180b-\u180d\u180f": "\u1820-\u18aa",
    "\U000e0100-\U000e01ef": _IDEOGRAPHS,
}

#: Anything but Latin letters and the usual punctuation: only text that has some needs the closer look, which takes ten times as long.
_UNUSUAL = re.compile("[^\x00-\xac\xae-\u024f\u2010-\u2027\u20ac]")
UNSEEN = re.compile(
    "|".join(
        [
            f"[{_HIDDEN}]",
            f"(?<![{_JOINING}])[{_JOINERS}]",
            *(f"(?<![{bases}])[{selectors}]" for selectors, bases in _SELECTORS.items()),
        ]
    )
)
_BLACK_FLAG = "\U0001f3f4"
_FLAGS = re.compile(
    f"{_BLACK_FLAG}\U000e0067\U000e0062(?:\U000e0065\U000e006e\U000e0067|\U000e0073\U000e0063\U000e0074|\U000e0077\U000e006c\U000e0073)\U000e007f"
)


def _marks() -> str:
    """What follows a letter, ordered by its class in normalisation, and three vowel signs of Tibetan that come apart into such."""
    marks = [at for at in range(0x300, 0x20000) if unicodedata.combining(chr(at))]
    return "".join(map(chr, (*marks, 0xF73, 0xF75, 0xF81)))


_OVERMARKED = re.compile(f"[{_marks()}]{{{MARKS_MAX + 1}}}")


def is_overmarked(text: str) -> bool:
    """Whether more than `MARKS_MAX` combining marks follow each other. Asked before text is normalised."""
    return _OVERMARKED.search(text) is not None


def unseen(text: str) -> str | None:
    """The first character of `text` that no reader sees; None if there is none."""
    if text.isascii() or not _UNUSUAL.search(text):
        return None
    found = UNSEEN.search(_FLAGS.sub(_BLACK_FLAG, text))
    return found.group() if found else None
