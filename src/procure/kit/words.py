"""How many words a text has, in whatever script: the limits on briefs and criteria count with this.

A word is what stands between spaces and has a letter or digit. Han and kana, Thai, Lao, Khmer and Burmese set no spaces: UAX #29 makes
each ideograph a word of its own and leaves the others to a dictionary. Here, for each run of them, two characters of Han or kana
are a word, and five letters of the others, which is about what their words have; marks on a letter are no letters.
"""

import re
import unicodedata

#: By script, how many letters make a word.
IDEOGRAPHS_PER_WORD, LETTERS_PER_WORD = 2, 5
_IDEOGRAPHS = r"々〆぀-ヿㇰ-ㇿ㐀-䶿一-鿿豈-﫿ｦ-ﾟ\U00020000-\U0003ffff"
_UNSPACED = r"฀-໿က-႟ក-៿ꧠ-꧿ꩠ-ꩿ"
_RUN = re.compile(f"[{_IDEOGRAPHS}]+|[{_UNSPACED}]+")
_IS_IDEOGRAPH = re.compile(f"[{_IDEOGRAPHS}]")


def count(text: str) -> int:
    """The words of `text`."""
    return sum(_words_of(run) for run in _RUN.findall(text)) + sum(map(_is_word, _RUN.sub(" ", text).split()))


def _is_word(token: str) -> bool:
    """A dash, a bullet or a Markdown sign is none."""
    return any(letter.isalnum() for letter in token)


def _words_of(run: str) -> int:
    letters = sum(unicodedata.category(letter)[0] in "LN" for letter in run)
    per_word = IDEOGRAPHS_PER_WORD if _IS_IDEOGRAPH.match(run) else LETTERS_PER_WORD
    return -(-letters // per_word)
