"""Counts the words of a file: a third opinion, beside the app's and the host's, in another language.

Prints one JSON object with lines, rejected, words, distinct and the top ten.
"""

import collections
import json
import sys
import unicodedata

# Rust's `char::is_alphanumeric` is Unicode's Alphabetic, or a number. Python knows letters and numbers; what else is
# alphabetic are marks and circled letters, listed in Unicode's PropList.txt as Other_Alphabetic. These are the ones of
# the blocks that occur in the texts to be counted: Hebrew, Arabic, Devanagari, Thai, and the circled letters.
OTHER_ALPHABETIC = frozenset(
    character
    for first, last in [
        (0x0345, 0x0345),
        (0x05B0, 0x05BD),
        (0x05BF, 0x05BF),
        (0x05C1, 0x05C2),
        (0x05C4, 0x05C5),
        (0x05C7, 0x05C7),
        (0x0610, 0x061A),
        (0x064B, 0x0657),
        (0x0659, 0x065F),
        (0x0670, 0x0670),
        (0x08F0, 0x0903),
        (0x093A, 0x093B),
        (0x093E, 0x094C),
        (0x094E, 0x094F),
        (0x0955, 0x0957),
        (0x0962, 0x0963),
        (0x0E31, 0x0E31),
        (0x0E34, 0x0E3A),
        (0x0E4D, 0x0E4D),
        (0x24B6, 0x24E9),
    ]
    for character in map(chr, range(first, last + 1))
)


def is_alphanumeric(character):
    return unicodedata.category(character)[0] in "LN" or character in OTHER_ALPHABETIC


def words(line):
    word = []
    for character in line:
        if is_alphanumeric(character):
            word.append(character)
        elif word:
            yield "".join(word).lower()
            word = []
    if word:
        yield "".join(word).lower()


def main(path):
    lines = rejected = 0
    counts = collections.Counter()
    with open(path, "rb") as file:
        for line in file:  # bytes: lines end at \n and nowhere else
            lines += 1
            try:
                counts.update(words(line.decode("utf-8")))
            except UnicodeDecodeError:
                rejected += 1
    # Strings in Rust are ordered by their bytes, which is the order of code points.
    top = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:10]
    result = {
        "lines": lines,
        "rejected": rejected,
        "words": sum(counts.values()),
        "distinct": len(counts),
        "top": [list(item) for item in top],
    }
    print(json.dumps(result))


main(sys.argv[1])
