"""Files that are nearly right: what editors, converters, broken disks and other people's scripts make of them."""

from hypothesis import strategies as st

# What parsers stumble over: bytes that are no UTF-8, odd white space, numbers of every kind, marks of the formats.
PIECES = [
    *(b"\0", b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\r", b"\r\n", b"\n", b"\n\n", b"\t", b" ", b"\x0c"),
    *(one.encode() for one in ["\xa0", "\u2028", "́", "͡", "ˈ", "⁵", "İ", "ß", "字", "٣", "½", "ː", "ə", "\u200b", "😀"]),
    *(
        b"nan",
        b"-inf",
        b"1e999",
        b"-1e999",
        b"1_0",
        b"0x10",
        b"-1",
        b"0",
        b"-0.0",
        b"0.5",
        b"1.0",
        b"9" * 30,
        b"1e-320",
    ),
    *(b'"', b"'", b"<", b">", b"(", b")", b"[", b"]", b"{", b"}", b"/", b"/*", b"*/", b"//", b"\\", b"|", b"*", b"+"),
    *(b"=", b";", b";;", b";;;", b"#", b"%", b"%00", b":", b",", b"..", b"/../", b"-", b"->", b"_", b"(2)", b"(2)(3)"),
    *(
        b"<eps>",
        b"<s>",
        b"</s>",
        b"<unk>",
        b"<NULL>",
        b"<VOID>",
        b"spn",
        b"SIL",
        b"\\end\\",
        b"\\data\\",
        b"\\2-grams:",
    ),
    *(b"(" * 300, b"[" * 300, b"a" * 3000, b"a " * 300, b"\n" * 300, b"1 " * 40),
]
_KINDS = ["insert", "replace", "delete", "repeat", "move", "cut"]
_PLACE = st.floats(0, 1, exclude_max=True)
_CHANGE = st.tuples(st.sampled_from(_KINDS), _PLACE, st.integers(1, 12), _PLACE, st.sampled_from(PIECES))


def files_like(*originals):
    """Return a strategy of files: one of some, with up to six changes, or anything at all."""
    changed = st.builds(_changed, st.sampled_from(originals), st.lists(_CHANGE, min_size=1, max_size=6))
    return st.one_of(changed, changed, changed, st.binary(max_size=60), st.lists(st.sampled_from(PIECES)).map(b"".join))


def _changed(content, changes):
    for kind, place, length, other, piece in changes:
        start = int(place * (len(content) + 1))
        end = min(start + length, len(content))
        part = content[start:end]
        if kind == "insert":
            content = content[:start] + piece + content[start:]
        elif kind == "replace":
            content = content[:start] + piece + content[end:]
        elif kind == "delete":
            content = content[:start] + content[end:]
        elif kind == "repeat":
            content = content[:end] + part * length + content[end:]
        elif kind == "cut":
            content = content[:start]
        else:
            rest = content[:start] + content[end:]
            to = int(other * (len(rest) + 1))
            content = rest[:to] + part + rest[to:]
    return content


# Numbers at the limits of their types, as headers may claim them.
_LIMITS = [0, 1, 2**7, 2**8 - 1, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**62, 2**63 - 1, 2**64 - 1]


def random_file(originals, rng, large=500):
    """Return a file that is nearly right, faster than hypothesis does: changes of pieces, bits, numbers and lengths.

    Args:
        originals: files that are right.
        rng: `random.Random`.
        large: one change in so many makes a megabyte of a part, which takes a reader as long as thousands of others.
    """
    content = rng.choice(originals)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        kind = rng.randrange(9)
        place = rng.randrange(len(content) + 1)
        if kind < 5:
            change = rng.choice(_KINDS), rng.random(), rng.randint(1, 12), rng.random(), rng.choice(PIECES)
            content = _changed(content, [change])
        elif kind < 7 and content:
            place = rng.randrange(len(content))
            content = content[:place] + bytes([content[place] ^ 1 << rng.randrange(8)]) + content[place + 1 :]
        elif kind == 7:
            size = rng.choice((1, 2, 4, 8))
            number = rng.choice(_LIMITS) % 256**size
            content = content[:place] + number.to_bytes(size, rng.choice(("little", "big"))) + content[place + size :]
        else:
            other = rng.choice(originals)
            content = content[:place] + other[rng.randrange(len(other) + 1) :]
        if rng.randrange(large) == 0:
            place = rng.randrange(len(content) + 1)
            end = rng.randint(place, min(place + 40, len(content)))
            part = content[place:end] or rng.choice(PIECES)
            content = content[:place] + part * (1_000_000 // len(part)) + content[end:]
    return content
