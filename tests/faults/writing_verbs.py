"""All verbs that write files, on a small corpus of whistled speech; what they leave, apart from times and chance."""

import os
import re
import shutil
from typing import NamedTuple

import numpy as np
import tomli_w
from command_line import run
from whistled_speech import train_on_whistles

from speechtl.data.datadir import DataDir
from speechtl.data.tables import read_table
from speechtl.features.archives import write_ark_scp
from speechtl.lang.phone_inventory import PhoneInventory

LEXICON = "abba a b b a\nback b a k\n"
TEXTS = {"anna-1": "abba", "anna-2": "back abba", "bert-1": "back"}


class Verb(NamedTuple):
    """A verb as it is tried.

    Attributes:
        act: given the material and the folder of results.
        before: what makes the state before, given the same; None where nothing is there.
        inputs: files of the material that it reads, as patterns.
        growing: patterns of files that are something between old and new while it runs, and known to be.
        data: data directories that it writes, which are read by all their tables.
        uses_tensorflow: a process that has used it cannot run the verb in a fork.
    """

    act: object
    before: object = None
    inputs: tuple[str, ...] = ()
    growing: tuple[str, ...] = ()
    data: tuple[str, ...] = ()
    uses_tensorflow: bool = False


def _split(m, out):
    run("data split", m / "d", out / "x", out / "y", by="utterance", fraction=0.5)


def _other_tables(m, out):
    run("data subset", m / "d", out / "x", utterances=1)


def _broken_copy(m, out):
    """Copy a data directory, with a text that `fix` repairs."""
    shutil.copytree(m / "d", out / "x")
    (out / "x" / "text").write_text("anna-2 back abba\nanna-1 abba\n")


def _lexicon(m, out):
    shutil.copy(m / "lexicon.txt", out / "l.txt")


def _audio(m, out):
    shutil.copytree(m / "few", out / "x")
    for name in ("feats.scp", "cmvn.scp", "utt2num_frames", "utt2dur"):
        (out / "x" / name).unlink(missing_ok=True)


def _older_features(m, out):
    """The features of some utterances are there already."""
    _audio(m, out)
    table = read_table(out / "x" / "wav.scp")
    first = dict(list(table.items())[:3])
    DataDir(out / "x", wav_scp=first, utt2spk={name: name.split("-")[0] for name in first}).save(out / "x")
    run("features", out / "x", config=m / "conf.toml")
    for path in (m / "few").iterdir():
        if path.name in ("text", "wav.scp", "utt2spk", "spk2utt"):
            shutil.copy(path, out / "x")


def _decode(m, out, **options):
    stored = {"posteriors": m / "posteriors.scp", "lexicon": m / "lexicon.txt"}
    run("decode", m / "dummy", m / "d", out / "x", **(stored | options))


def _imported(m, out, *flags):
    run("data import", m / "list.csv", out / "x", *flags)


def _exported(kind, name="x"):
    """Return the verb of an export."""
    return Verb(lambda m, out: run("data export", m / "d", out / name, to=kind), inputs=("d/*", "*.flac"))


def _package(m, out):
    run("package", m / "exp", out / "tiny", card=m / "card.toml")


def _mixed(m, out):
    run("lm", m / "d", out=out / "lm.arpa", order=2, mix=m / "other.arpa", share=0.3)


def _one_aligned(m, out):
    """A folder of one recording was aligned before."""
    (out / "one").mkdir()
    first = min((m / "own").glob("*.wav"))
    for path in (first, first.with_suffix(".txt")):
        shutil.copy(path, out / "one")
    run("align", m / "exp", out / "one", out / "a")


def _tune(m, out):
    _decode(m, out, tune=m / "d", grid=["beam=8,12", "blank_penalty=0,1"])


def _splice(m, out):
    run("data splice", m / "few", m / "phones.ctm", out / "x", lexicon=m / "words.txt")


STORED = ("d/*", "lexicon.txt", "posteriors.*", "dummy/*")
SPEECH = ("few/*", "exp/*.h5", "exp/*.toml", "exp/lexicon/*", "exp/phones/*", "data/feats/*", "*.wav")
PARTS = ("*/feats/*", "*/data/feats/*")
LIGHT = {
    "data subset": Verb(
        lambda m, out: run("data subset", m / "d", out / "x", utterances=2), inputs=("d/*",), data=("x",)
    ),
    "data subset --overwrite": Verb(
        lambda m, out: run("data subset", m / "d", out / "x", "--overwrite", utterances=2),
        _other_tables,
        ("d/*",),
        data=("x",),
    ),
    "data split": Verb(_split, inputs=("d/*",), data=("x", "y")),
    "data combine": Verb(lambda m, out: run("data combine", out / "x", m / "d"), inputs=("d/*",), data=("x",)),
    "data perturb-speed": Verb(
        lambda m, out: run("data perturb-speed", m / "d", out / "x"), inputs=("d/*",), data=("x",)
    ),
    "data perturb-pitch": Verb(
        lambda m, out: run("data perturb-pitch", m / "d", out / "x", semitones="2"), inputs=("d/*", "*.flac")
    ),
    "data shard": Verb(lambda m, out: run("data shard", m / "d", out / "x", size=0.002), inputs=("d/*", "*.flac")),
    "data shard --overwrite": Verb(
        lambda m, out: run("data shard", m / "d", out / "x", "--overwrite", size=0.002),
        lambda m, out: run("data shard", m / "d1", out / "x", size=0.002),
        ("d/*", "*.flac"),
    ),
    "data fix": Verb(lambda m, out: run("data fix", out / "x"), _broken_copy, ("*.flac",), data=("x",)),
    "lexicon add": Verb(lambda m, out: run("lexicon add", out / "l.txt", "kab=k a b", out=out / "l.txt"), _lexicon),
    "lexicon g2p": Verb(
        lambda m, out: run(
            "lexicon g2p", "kaba", "bakka", lexicon=m / "lexicon.txt", save=out / "m.g2p", out=out / "lexiconp.txt"
        ),
        inputs=("lexicon.txt",),
    ),
    "lexicon convert": Verb(
        lambda m, out: run("lexicon convert", m / "lexicon.txt", out / "new" / "l.txt", notation="ipa"),
        inputs=("lexicon.txt",),
    ),
    "data import": Verb(_imported, inputs=("list.csv",), data=("x",)),
    "data import --overwrite": Verb(
        lambda m, out: _imported(m, out, "--overwrite"), _other_tables, ("list.csv",), data=("x",)
    ),
    "data export csv": _exported("csv", "x.csv"),
    "data export mfa": _exported("mfa"),
    "lm": Verb(lambda m, out: run("lm", m / "d", out=out / "lm.arpa", order=2), inputs=("d/text",)),
    "decode --posteriors": Verb(lambda m, out: _decode(m, out, save_posteriors=out / "kept"), inputs=STORED),
    "decode again": Verb(
        lambda m, out: _decode(m, out, save_posteriors=out / "kept"),
        lambda m, out: run(
            "decode", m / "dummy", m / "d1", out / "x", posteriors=m / "posteriors.scp", save_posteriors=out / "kept"
        ),
        STORED,
    ),
    "score": Verb(
        lambda m, out: run("score", m / "d" / "text", m / "other_text", out=out / "s"), inputs=("d/text", "other_text")
    ),
}
# Likewise without TensorFlow, but slower, or much like one of those.
MORE = {
    "data export lhotse": _exported("lhotse"),
    "data export audiofolder": _exported("audiofolder"),
    "data export ljspeech": _exported("ljspeech"),
    "data export commonvoice": _exported("commonvoice"),
    "data import kaldi": Verb(lambda m, out: run("data import", m / "d", out / "x"), inputs=("d/*",), data=("x",)),
    "data combine --overwrite": Verb(
        lambda m, out: run("data combine", out / "x", m / "d", m / "d2", "--overwrite"),
        _other_tables,
        ("d*/*",),
        data=("x",),
    ),
    "lm --mix": Verb(_mixed, inputs=("d/text", "other.arpa")),
    "decode --tune": Verb(_tune, inputs=STORED),
    "lexicon build-english": Verb(lambda m, out: run("lexicon build-english", out / "l.txt")),
    "chart": Verb(lambda m, out: run("chart", m / "points.tsv", out / "c.svg"), inputs=("points.tsv",)),
}
HEAVY = {
    "features": Verb(
        lambda m, out: run("features", out / "x", config=m / "conf.toml"), _audio, ("*.wav", "conf.toml"), PARTS
    ),
    "features again": Verb(
        lambda m, out: run("features", out / "x", config=m / "conf.toml"),
        _older_features,
        ("*.wav", "conf.toml"),
        (*PARTS, "*.scp", "*utt2*"),
    ),
    "train": Verb(
        lambda m, out: run("train", m / "short.toml", out / "exp"),
        inputs=SPEECH,
        growing=("exp/state/*", "exp/log.jsonl"),
    ),
    "adapt": Verb(
        lambda m, out: run("adapt", m / "exp", m / "own", out / "s", method="lhuc", set_="epochs=2"),
        inputs=SPEECH,
        growing=("s/data/*",),
    ),
    "adapt --overwrite": Verb(
        lambda m, out: run("adapt", m / "exp", m / "own", out / "s", "--overwrite", method="lhuc", set_="epochs=2"),
        lambda m, out: shutil.copytree(m / "tuned", out / "s"),
        SPEECH,
        ("s/data/*",),
    ),
    "study": Verb(
        lambda m, out: run("study", m / "exp", m / "few", out / "t", system=["a=lhuc,epochs=1"], counts="1,2", folds=2),
        inputs=SPEECH,
        growing=("t/results.jsonl",),
    ),
    "decode": Verb(
        lambda m, out: run("decode", m / "exp", m / "few", out / "x", lexicon=m / "words.txt"), inputs=SPEECH
    ),
    "align": Verb(lambda m, out: run("align", m / "exp", m / "few", out / "a"), inputs=SPEECH),
    "align, a folder": Verb(
        lambda m, out: run("align", m / "exp", m / "own", out / "a"), inputs=SPEECH, growing=("a/data/feats/*",)
    ),
    "align, a folder, again": Verb(
        lambda m, out: run("align", m / "exp", m / "own", out / "a"), _one_aligned, SPEECH, ("a/data/feats/*",)
    ),
    "transcribe": Verb(
        lambda m, out: run("transcribe", m / "exp", m / "own", out=f"{out}/t/", format="textgrid"), inputs=SPEECH
    ),
    "transcribe, one file": Verb(
        lambda m, out: run("transcribe", m / "exp", m / "own", out=out / "t.ctm", format="ctm"), inputs=SPEECH
    ),
    "export": Verb(lambda m, out: run("export", m / "exp", out / "m.speechtl"), inputs=SPEECH),
    "export again": Verb(
        lambda m, out: run("export", m / "exp", out / "m.speechtl"),
        lambda m, out: run("export", m / "exp", out / "m.speechtl", precision="float32"),
        SPEECH,
    ),
    "package": Verb(_package, inputs=SPEECH),
    "package again": Verb(
        _package, lambda m, out: run("package", m / "tuned", out / "tiny", card=m / "card.toml"), SPEECH
    ),
    "report": Verb(lambda m, out: run("report", m / "exp", out=out / "r.html"), inputs=SPEECH),
    "probe": Verb(
        lambda m, out: run("probe", m / "exp", out=out / "p.svg", data=m / "few", by="speaker"), inputs=SPEECH
    ),
    "data splice": Verb(_splice, inputs=("few/*", "phones.ctm", "data/feats/*", "words.txt")),
    "import": Verb(lambda m, out: run("import", m / "checkpoint", out / "enc"), inputs=("checkpoint/*",)),
}
HEAVY = {name: verb._replace(uses_tensorflow=True) for name, verb in HEAVY.items()}
VERBS = LIGHT | MORE | HEAVY


def make_stored(folder):
    """Write what the verbs without TensorFlow read: a data directory, a lexicon, stored posteriors, an experiment."""
    from datadir_strategies import write_recordings

    data = write_recordings(folder / "d", dict.fromkeys(TEXTS, 0.2))
    data.save(data.path)
    (folder / "d" / "text").write_text("".join(f"{key} {text}\n" for key, text in TEXTS.items()))
    run("data subset", folder / "d", folder / "d1", utterances=1)
    other = write_recordings(folder / "d2", {"carl-1": 0.2})
    other.save(other.path)
    (folder / "list.csv").write_text("".join(f"{key}.flac,{text}\n" for key, text in TEXTS.items()))
    run("lm", other.path, out=folder / "other.arpa", order=2)
    (folder / "points.tsv").write_text("".join(f"a\t{x}\t{x * x}\n" for x in range(5)))
    (folder / "other_text").write_text("anna-1 abba\nanna-2 back\nbert-1 back\n")
    (folder / "lexicon.txt").write_text(LEXICON)
    PhoneInventory(["a", "b", "k"]).save(folder / "dummy" / "phones" / "en.txt")
    (folder / "dummy" / "config.toml").write_text(
        '[[data]]\nlanguage = "en"\ntrain = ["x"]\n[features]\nframe_shift_ms = 10.0\n'
        "[model.encoder]\nsubsampling = {factor = 3}\n"
    )
    rng = np.random.default_rng(3)
    with write_ark_scp(folder / "posteriors.ark", folder / "posteriors.scp") as write:
        for key in TEXTS:
            write(key, np.log(rng.dirichlet(np.ones(4), 20)).astype(np.float32))


def make_speech(folder):
    """Write what the verbs with TensorFlow read: whistled speech, and an experiment that was trained on it."""
    from named_models import write_card
    from tiny_checkpoints import write_checkpoint

    from speechtl.config import read_toml

    exp = train_on_whistles(folder)
    (folder / "lexicon.txt").rename(folder / "words.txt")
    run("data subset", folder / "data", folder / "few", utterances_per_speaker=4)
    table = read_toml(folder / "conf.toml")
    table["data"][0] |= {"train": f"{folder}/few", "dev": f"{folder}/few", "lexicon": f"{folder}/words.txt"}
    table["batches"]["frames"] = 500
    table["training"] |= {"epochs": 2, "checkpoint_minutes": 1e-6, "cache_frozen": "never"}
    (folder / "short.toml").write_text(tomli_w.dumps(table))
    own = folder / "own"
    own.mkdir()
    few = DataDir.load(folder / "few")
    for name in few.utterance_ids[:3]:
        shutil.copy(few.wav_scp[name], own / f"{name}.wav")
        (own / f"{name}.txt").write_text(f"{few.text[name]}\n")
    run("adapt", exp, own, folder / "tuned", method="fine_tuning", set_="epochs=1")
    write_card(folder / "card.toml")
    run("align", exp, folder / "few", folder / "ali", refine="never")
    shutil.copy(folder / "ali" / "phones.ctm", folder / "phones.ctm")
    write_checkpoint(folder / "checkpoint", "whisper")


_TOKENS = re.compile(rb"-[0-9a-f]{6}(?=\.(?:ark|stats|json))")
# Of statistics, a new archive takes one of two names, whichever the table does not lead to.
_OTHER_NAME = re.compile(rb"-2(?=\.ark)")
_TIMES = re.compile(
    rb'"(frames_per_second|seconds_taken|wall|processor)": [-+.e0-9]+|; [0-9.]+ s(?=\n)|\| [0-9.]+ s (?=\|)'
)


def left_by(folder):
    """Return what a folder holds, by name: all but hidden files, which no reader looks at, times and random names.

    Of the two archives of statistics, the one that no table leads to holds those of before.
    """
    found = {}
    read = b"".join(path.read_bytes() for path in folder.rglob("cmvn.scp"))
    for path in folder.rglob("*"):
        name = path.relative_to(folder)
        if path.match("cmvn_*.ark") and b"%s:" % os.fsencode(path) not in read:
            continue
        if path.is_file() and not any(part.startswith(".") for part in name.parts) and "tensorboard" not in name.parts:
            content = _TIMES.sub(b"", _TOKENS.sub(b"-TOKEN", path.read_bytes()))
            place = _OTHER_NAME.sub(b"", _TOKENS.sub(b"-TOKEN", str(name).encode())).decode()
            found[place] = _OTHER_NAME.sub(b"", content) if name.suffix == ".scp" else content
    return found


def strays(*folders):
    """Return the hidden files and folders that a finished command should not have left."""
    known = {".backup"}
    found = [path for folder in folders for path in folder.rglob(".*") if not known & set(path.parts)]
    return [str(path) for path in found]
