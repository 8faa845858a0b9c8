"""gcin-voice: the syllables of Taiwan's Mandarin with every tone, by one speaker. Standard library only.

    python recipes/corpora/gcin_voice.py --corpus DIR --out data [--tables utt2lang,utt2dom]

Licence: CC BY 3.0 (``5.ogg``: ChionMeilin with the voice of Chu Lo). Get it: unpack the Debian package ``gcin-voice``
(``apt-get download gcin-voice && dpkg -x gcin-voice_*.deb DIR``).

Layout: ``<syllable>/5`` with .ogg, .wav, .flac or .sph below ``usr/share/gcin-voice/ogg`` or DIR itself; the syllable
is in bopomofo with the number of its tone, none for the first, and 1 for the neutral one.

Written below ``--out``:

    train, dev, test  every eighth syllable is for test, and every eighth for dev
    lexicon.txt       the syllables, with phones by mandarin_syllables.tsv (IPA with tones)

Left out: ``3.ogg``, the same syllables by another speaker under another licence (GPL or LGPL). What remains are 1158
syllables, 0.1 h. The same syllable with another tone is often in another part: without tones, test is not unseen.
"""

from collections.abc import Sequence
from pathlib import Path

from data_dirs import (
    SUFFIXES,
    Utterance,
    by_utterance,
    command_line,
    fail,
    fail_if_any,
    find_audio,
    parse,
    write_lines,
    write_parts,
)
from mandarin import MandarinSyllables

HOW_TO_GET_IT = (
    "It is free: unpack the Debian package gcin-voice (apt-get download gcin-voice; dpkg -x) and give the folder with"
    " --corpus"
)
INSIDE = Path("usr", "share", "gcin-voice", "ogg")
VOICE = "5"


def prepare(corpus: Path, out: Path, tables: Sequence[str] = ()) -> None:
    """Write the data directories and the lexicon."""
    folder = corpus / INSIDE if (corpus / INSIDE).is_dir() else corpus
    syllables = MandarinSyllables()
    utterances, lexicon, problems = [], [], []
    for path in sorted(path for path in folder.iterdir() if path.is_dir()):
        audio = find_audio(path / VOICE, (".ogg", *SUFFIXES))
        if audio is None:
            continue
        phones = syllables.of_bopomofo(path.name)
        if not phones:
            problems.append(f"{path}: no syllable in bopomofo")
        utterances.append(Utterance(f"gcin-{path.name}", "gcin", audio, path.name, "zh", "gcin_voice"))
        lexicon.append(f"{path.name} {' '.join(phones)}")
    fail_if_any(problems, corpus)
    if not utterances:
        fail(f"{corpus} has no <syllable>/{VOICE}.ogg. {HOW_TO_GET_IT}")
    write_parts(out, by_utterance(utterances), tables)
    write_lines(out / "lexicon.txt", lexicon)


def main() -> None:
    arguments = parse(command_line("gcin-voice"), HOW_TO_GET_IT)
    prepare(arguments.corpus, arguments.out, arguments.tables)


if __name__ == "__main__":
    main()
