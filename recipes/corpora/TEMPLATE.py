"""TEMPLATE: what the corpus is, in one line: language, what is spoken, how many speakers. Standard library only.

    python recipes/corpora/TEMPLATE.py --corpus DIR --out data [--seed 1] [--tables utt2lang,utt2dom]

Licence: which one. Get it: a repository, a package or a site, and what to do there.

Layout: ``clips/<speaker>/<clip>`` with .wav, .flac or .sph; ``transcripts.tsv`` with clip and text, a tab between;
``lexicon.txt`` with word and phones (IPA), as Kaldi has it.

Written below ``--out``:

    train, dev, test  by speaker: a quarter of the speakers is for test, an eighth for dev, the rest for training, drawn
                      with the seed from their sorted names (or the official division, if there is one)
    lexicon.txt       the lexicon

Left out: clips without a transcript, and how many there are is printed. Say here what else is left out, and why.
"""

from collections.abc import Sequence
from pathlib import Path

from data_dirs import (
    Utterance,
    by_speaker,
    clips_below,
    command_line,
    fail_if_any,
    need,
    parse,
    read_lines,
    write_lines,
    write_parts,
)

HOW_TO_GET_IT = "TEMPLATE is free: get it there and give its folder with --corpus"
LANGUAGE = "xx"


def read_transcripts(path: Path, problems: list[str]) -> dict[str, str]:
    """Return the text of each clip: words in the case of the lexicon, with spaces between, without punctuation."""
    texts = {}
    for number, line in enumerate(read_lines(path), 1):
        clip, tab, text = line.partition("\t")
        if not tab or not text.split():
            problems.append(f"{path}:{number}: expected clip and text with a tab between (got '{line}')")
        else:
            texts[clip] = " ".join(text.split())
    return texts


def prepare(corpus: Path, out: Path, seed: int = 1, tables: Sequence[str] = ()) -> None:
    """Write the data directories and the lexicon."""
    need(corpus, ["clips", "transcripts.tsv", "lexicon.txt"], "TEMPLATE", HOW_TO_GET_IT)
    problems: list[str] = []
    texts = read_transcripts(corpus / "transcripts.tsv", problems)
    utterances = {}
    clips = clips_below(corpus / "clips")
    for path in clips:
        if path.stem in texts:
            # Kaldi wants utterance ids that start with the speaker.
            speaker = path.parent.name
            name = f"{speaker}-{path.stem}"
            utterances[path.stem] = Utterance(name, speaker, path, texts[path.stem], LANGUAGE, "TEMPLATE")
    problems += [f"{corpus / 'clips'}: no audio of {clip}" for clip in texts if clip not in utterances]
    # All problems at once, before anything is written.
    fail_if_any(problems, corpus)
    print(f"left out: {len(clips) - len(utterances)} clips without a transcript")
    write_parts(out, by_speaker(list(utterances.values()), seed), tables)
    write_lines(out / "lexicon.txt", read_lines(corpus / "lexicon.txt"))


def main() -> None:
    parser = command_line("TEMPLATE")
    parser.add_argument("--seed", type=int, default=1, help="random seed of the division into speakers")
    arguments = parse(parser, HOW_TO_GET_IT)
    prepare(arguments.corpus, arguments.out, arguments.seed, arguments.tables)


if __name__ == "__main__":
    main()
