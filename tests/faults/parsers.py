"""Every reader of files from elsewhere, by name: files that it reads, and what to do with one.

A reader gets a folder of its own and the content of a file. It returns, or raises an error of ours; anything else is a
fault.
"""

import dataclasses
import functools
import io
import itertools
import json
import math
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile

import speechtl

TESTS = Path(__file__).resolve().parent.parent
LEXICON = (
    "she ʃ i\nshe(2) ʃ ə\nturn t ɝ n\n字 t͡sʰ ɨ˥˩\nice ˈa͡ɪ s\n<unk> spn\n".encode(),
    "yes\t0.99\t0.16\t1.09\t0.99\tj ɛ s\nno\tn ow\nno\t0.2\tn ə\n".encode(),
    b"!SIL SIL\n<UNK> SPN\nYES Y EH1 S # as in\n;;; CMU\nREAD R EH1 D\nREAD(2) R IY1 D\n",
    b"zehn t_s e: n\nOel 2: l\nacht A x t\n",
)
ARPA = (
    b"\\data\\\nngram 1=5\nngram 2=2\nngram  3=        0\n\n\\1-grams:\n-1.5\t<unk>\n-99\t<s>\t-0.3\n-1.0\t</s>\n"
    b"-0.6\tshe\t-0.2\n-0.7\tturn\t-0.2\n\n\\2-grams:\n-0.3\tshe turn\n-0.2\tturn </s>\n\n\\end\\\n"
)
JSGF = (
    b"#JSGF V1.0 UTF-8 en;\ngrammar g;\nimport <other.x>;\n/** says */ public <s> = [please] /0.3/ she (turn)+ {tag}\n"
    b' | /0.7/ "turn off" <n>*;\n<n> = a | b <NULL>;\n',
    b"#JSGF V1.0;\ngrammar t;\npublic <x> = stop that | she turn <x>;\n",
)
FST = (b"0 1 she she 0.5\n1 2 <eps> <eps>\n2 0 turn turn 1.5\n2 0.25\n", b"0 1 she 0.5\n1\n")
CTM = (b";; comment\ns-1 1 0.00 0.25 she 0.93\ns-1 1 0.25 0.5 turn\nr2 A 1 0.1 stop 1.0\n",)
TEXTGRID = (
    b'File type = "ooTextFile"\nObject class = "TextGrid"\n\nxmin = 0\nxmax = 2.3\ntiers? <exists>\nsize = 2\n'
    b"item []:\n"
    b'    item [1]:\n        class = "IntervalTier"\n        name = "words"\n        xmin = 0\n        xmax = 2.3\n'
    b"        intervals: size = 2\n        intervals [1]:\n            xmin = 0\n            xmax = 1\n"
    b'            text = "she ""x"""\n        intervals [2]:\n            xmin = 1\n            xmax = 2.3\n'
    b'            text = ""\n    item [2]:\n        class = "TextTier"\n        name = "p"\n        xmin = 0\n'
    b"        xmax = 2.3\n        points: size = 1\n        points [1]:\n            number = 1\n"
    b'            mark = "a"\n',
    b'"ooTextFile"\n"TextGrid"\n0\n2.3\n<exists>\n1\n"IntervalTier"\n"w"\n0\n2.3\n1\n0\n2.3\n"she"\n',
)
TABLES = {
    "wav.scp": b"r1 one.wav\nr2 sox two.flac -t wav - |\n",
    "segments": b"s-1 r1 0.0 1.5\ns-2 r1 1.5 -1\nt-1 r2 0 2.25\n",
    "utt2spk": b"s-1 s\ns-2 s\nt-1 t\n",
    "text": b"s-1 she turn\ns-2 stop\nt-1 she\n",
    "spk2gender": b"s f\nt m\n",
    "reco2file_and_channel": b"r1 one A\nr2 two 1\n",
    "feats.scp": b"s-1 feats.ark:14\ns-2 feats.ark:300[0:5]\n",
}
RECORDINGS = (
    b"a.wav,twenty eight\nb.wav,she turn\n",
    b'path,sentence,speaker\na.wav,"she\nturn ""x""",anna\nb.wav,stop,bert\n',
    b"a.wav|twenty, eight|anna\nb.wav|stop|bert\n",
    b"client_id\tpath\tsentence\n1\ta.wav\tshe turn\n",
    b'{"audio_filepath": "a.wav", "text": "she turn", "duration": 1.5}\n{"audio_filepath": "b.wav", "text": "stop"}\n',
)
LHOTSE = (
    b'{"id": "r1", "sources": [{"type": "file", "channels": [0], "source": "a.wav"}], "sampling_rate": 16000, '
    b'"num_samples": 16000, "duration": 1.0, "channel_ids": [0]}\n',
    b'{"id": "c1", "start": 0.0, "duration": 1.0, "channel": 0, "type": "MonoCut", "supervisions": [{"id": "s1", '
    b'"recording_id": "r1", "start": 0.0, "duration": 1.0, "channel": 0, "text": "she turn", "speaker": "anna"}], '
    b'"recording": {"id": "r1", "sources": [{"type": "file", "channels": [0], "source": "a.wav"}], '
    b'"sampling_rate": 16000, "num_samples": 16000, "duration": 1.0}}\n',
    b'{"id": "s1", "recording_id": "r1", "start": 0.0, "duration": 1.0, "channel": 0, "text": "she"}\n',
)
CONFIG = b"""[[data]]
language = "en"
train = "d"
lexicon = "l.txt"
[features]
num_mel_bins = 12
[normalisation]
kind = "global"
[model.encoder]
kind = "tdnn"
size = 8
dilations = [1, 2]
subsampling = { factor = 2 }
[[transfer]]
method = "fine_tuning"
source = "exp/base"
fresh = ["heads/*"]
[batches]
frames = 300
[training]
epochs = 3
rates = { "encoder/*" = 0.1 }
[decoding]
beam = 12.0
"""
LOG = (
    b'{"event": "step", "step": 20, "ctc": 3.5, "learning_rate": 0.01}\n'
    b'{"event": "epoch", "step": 40, "epoch": 1, "train_loss": 2.5, "dev_per": 12.5, "dev_loss": NaN}\n'
    b'{"event": "pronunciations", "step": 40, "changed": 2}\n{"event": "final", "step": 80, "dev_per": 9.0}\n',
)


@dataclasses.dataclass(frozen=True)
class Parser:
    """A reader: contents that are right, and what reads one, given a folder and a content."""

    originals: Callable[[], tuple[bytes, ...]]
    read: Callable[[Path, bytes], object]


PARSERS: dict[str, Parser] = {}


def parser(name, originals):
    """Register a reader; ``originals`` are contents, or a function that makes them."""

    def register(read):
        make = originals if callable(originals) else lambda: tuple(originals)
        PARSERS[name] = Parser(functools.cache(make), read)
        return read

    return register


def _file(folder, name, content):
    path = folder / name
    path.write_bytes(content)
    return path


def _made(write):
    """Return the content of a file that a function writes, given its path."""
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder) / "file")
        return (Path(folder) / "file").read_bytes()


def _voice(rate=8000, seconds=0.25, channels=1):
    time = np.arange(round(rate * seconds)) / rate
    return np.stack([0.3 * np.sin(2 * np.pi * 220 * (channel + 1) * time) for channel in range(channels)], axis=1)


@parser("tables", TABLES.values())
def _(folder, content):
    from speechtl.data.tables import read_table, write_table

    table = read_table(_file(folder, "table", content))
    write_table(folder / "again", table)
    assert read_table(folder / "again") == table


for _name in TABLES:

    @parser(f"data-{_name}", [TABLES[_name]])
    def _(folder, content, name=_name):
        from speechtl.data.datadir import DataDir
        from speechtl.data.validate import validate

        for table, right in TABLES.items():
            _file(folder, table, right)
        _file(folder, name, content)
        validate(folder, check_audio=False)
        data = DataDir.load(folder)
        data.save(folder / "again")
        assert DataDir.load(folder / "again").utt2spk == data.utt2spk


for _notation, _originals in (("ipa", LEXICON[:2]), ("arpabet", LEXICON[2:3]), ("xsampa", LEXICON[3:])):

    @parser(f"lexicon-{_notation}", _originals)
    def _(folder, content, notation=_notation):
        from speechtl.lang.lexicon import Lexicon

        lexicon = Lexicon.load(_file(folder, "lexicon.txt", content), notation, tone="keep")
        lexicon.save(folder / "again.txt", any_name=True)
        assert Lexicon.load(folder / "again.txt") == lexicon


@parser("phones", ["<blk> 0\na 1\ni 2\nk 3\nʃ 4\n".encode()])
def _(folder, content):
    from speechtl.lang.phone_inventory import PhoneInventory

    inventory = PhoneInventory.load(_file(folder, "phones.txt", content))
    inventory.save(folder / "again.txt")
    assert PhoneInventory.load(folder / "again.txt") == inventory


@parser("arpa", [ARPA])
def _(folder, content):
    from speechtl.grammar.read import read_language_model
    from speechtl.grammar.word_graph import WordGraph

    model = read_language_model(_file(folder, "lm.arpa", content))
    assert all(value[0] <= 1e-4 and math.isfinite(value[0] + value[1]) for _, value in model.ngrams())
    WordGraph.ngrams(model).arrays(1.0)


@parser("kenlm", lambda: tuple(path.read_bytes() for path in sorted((TESTS / "grammar" / "kenlm").glob("*.binary"))))
def _(folder, content):
    from speechtl.grammar.read import read_language_model
    from speechtl.grammar.word_graph import WordGraph

    model = read_language_model(_file(folder, "lm.binary", content))
    assert all(value[0] <= 1e-4 and math.isfinite(value[0] + value[1]) for _, value in model.ngrams())
    WordGraph.ngrams(model).arrays(1.0)


for _name, _originals in (("jsgf", JSGF), ("fst", FST)):

    @parser(_name, _originals)
    def _(folder, content):
        from speechtl.grammar.read import read_grammar

        assert not np.isnan(read_grammar(_file(folder, "grammar", content)).arrays(1.0).final).any()


@parser("config", [CONFIG])
def _(folder, content):
    # With TensorFlow, for the methods.
    from speechtl.experiment.config import load_config

    load_config(_file(folder, "conf.toml", content))


@parser("ctm", CTM)
def _(folder, content):
    from speechtl.data.ctm import read_ctm
    from speechtl.data.datadir import DataDir

    data = DataDir(folder, wav_scp={"s-1": "a.wav", "r2": "b.wav"}, utt2spk={"s-1": "s", "r2": "r"})
    found = read_ctm(_file(folder, "ctm", content), data)
    assert all(0 <= one.start <= one.end < math.inf for labels in found.values() for one in labels)


@parser("textgrid", TEXTGRID)
def _(folder, content):
    from speechtl.data.textgrid import read_textgrid

    for tier in read_textgrid(_file(folder, "a.TextGrid", content)):
        assert all(0 <= one.start <= one.end < math.inf for one in tier.labels)


@parser("rules", lambda: ((Path(speechtl.__file__).parent / "g2p" / "rules" / "it.rules").read_bytes(),))
def _(folder, content):
    from speechtl.g2p.spelling_rules import SpellingRules

    SpellingRules.load("xx", _file(folder, "xx.rules", content)).pronounce("chaque", 3)


@functools.cache
def _g2p():
    from speechtl.g2p.grapheme_to_phoneme import GraphemeToPhoneme
    from speechtl.lang.lexicon import Lexicon

    lexicon = Lexicon()
    for word, phones in {"she": "ʃ i", "turn": "t ɝ n", "this": "ð ɪ s", "tin": "t ɪ n"}.items():
        lexicon.add(word, phones.split())
    return (_made(GraphemeToPhoneme.train(lexicon, order=2).save),)


@parser("g2p", _g2p)
def _(folder, content):
    from speechtl.g2p.grapheme_to_phoneme import GraphemeToPhoneme

    GraphemeToPhoneme.load(_file(folder, "g2p.npz", content)).pronounce("tine")


def _unpacked():
    arrays = np.load(io.BytesIO(_g2p()[0]))
    return tuple(_made(lambda path, one=one: np.save(path.open("wb"), arrays[one])) for one in arrays.files)


@parser("g2p-array", _unpacked)
def _(folder, content):
    """One array of a model has been changed, in a whole archive."""
    from speechtl.g2p.grapheme_to_phoneme import GraphemeToPhoneme

    names, right = np.load(io.BytesIO(_g2p()[0])).files, _unpacked()
    likest = max(range(len(right)), key=lambda place: sum(a == b for a, b in zip(content, right[place])))
    with zipfile.ZipFile(folder / "g2p.npz", "w") as archive:
        for place, name in enumerate(names):
            archive.writestr(f"{name}.npy", content if place == likest else right[place])
    GraphemeToPhoneme.load(folder / "g2p.npz").pronounce("tine")


for _name, _originals in (("recordings", RECORDINGS), ("lhotse", LHOTSE)):

    @parser(_name, _originals)
    def _(folder, content, name=_name):
        from speechtl.exchange.read_source import read_source

        for audio in ("a.wav", "b.wav"):
            if not (folder / audio).exists():
                soundfile.write(folder / audio, _voice(), 8000)
        read_source(_file(folder, {"recordings": "list.csv", "lhotse": "cuts.jsonl"}[name], content))


def _sounds():
    kinds = [
        *("WAV/PCM_16", "WAV/FLOAT", "WAV/ULAW", "WAVEX/PCM_24", "RF64/PCM_16", "AIFF/PCM_16", "AU/ULAW"),
        *("FLAC/PCM_16", "OGG/VORBIS", "OGG/OPUS", "NIST/PCM_16", "CAF/PCM_16", "W64/PCM_16", "VOC/PCM_U8"),
        *("MP3/MPEG_LAYER_III", "WAV/IMA_ADPCM", "WAV/GSM610"),
    ]
    found = []
    for kind, channels in itertools.product(kinds, (1, 2)):
        form, subtype = kind.split("/")
        options = {"data": _voice(8000, 0.15, channels), "samplerate": 8000, "format": form, "subtype": subtype}
        try:
            found.append(_made(functools.partial(soundfile.write, **options)))
        except soundfile.SoundFileError:
            continue  # Not every kind can have two channels.
    return tuple(found)


@parser("audio", _sounds)
def _(folder, content):
    from speechtl.audio.header import AudioHeader
    from speechtl.audio.waveform import read_waveform

    path = str(_file(folder, "audio", content))
    AudioHeader.read(path, decode=True)
    assert np.isfinite(read_waveform(path, 8000)).all()


def _matrices():
    from speechtl.features.archives import write_ark_scp

    def write(path):
        with write_ark_scp(path, path.with_suffix(".scp")) as add:
            add("u", np.arange(12, dtype=np.float32).reshape(3, 4))

    return (_made(write),)


@parser("archive", _matrices)
def _(folder, content):
    from speechtl.features.archives import read_double_matrix, read_matrix

    path = _file(folder, "feats.ark", content)
    read_matrix(f"{path}:2")
    read_double_matrix(f"{path}:2")


def _journal():
    utterances = {"u": [f"/d/fbank.ark:{2}", "/d/stats.ark:2", 3, 0.05, False, "x"]}
    return (json.dumps({"number": 1, "config": {"kind": "fbank"}, "utterances": utterances}).encode(),)


@parser("journal", _journal)
def _(folder, content):
    from speechtl.features.parts import read_parts

    _file(folder, "fbank.000001-abcdef.json", content)
    read_parts(folder)


@parser("log", LOG)
def _(folder, content):
    from speechtl.report.history import curve, read_history

    curve(read_history(_file(folder, "log.jsonl", content)).epochs, "epoch", "dev_per")


WEIGHTS = {"encoder/a/kernel": np.ones((2, 3), np.float32), "heads/en/output/bias": np.zeros(3, np.float32)}


def _safetensors():
    from safetensors.numpy import save

    return (save(WEIGHTS), save({"x": np.ones((2, 2), np.float16)}, {"format": "pt"}))


@parser("safetensors", _safetensors)
def _(folder, content):
    from speechtl.pretrained.safetensors_file import read_safetensors

    for tensor in read_safetensors(_file(folder, "model.safetensors", content)).values():
        tensor.read()


def _archive():
    return ((TESTS / "pretrained" / "made_by_torch.bin").read_bytes(),)


@parser("torch-archive", _archive)
def _(folder, content):
    from speechtl.pretrained.stored_tensor import READ_TYPES
    from speechtl.pretrained.torch_file import read_torch_file

    for tensor in read_torch_file(_file(folder, "model.bin", content)).values():
        if tensor.number in READ_TYPES:
            tensor.read()


def _pickles():
    with zipfile.ZipFile(io.BytesIO(_archive()[0])) as archive:
        return tuple(archive.read(name) for name in archive.namelist() if name.endswith("data.pkl"))


@parser("torch-pickle", _pickles)
def _(folder, content):
    """The program in a file has been changed, in a whole archive."""
    with (
        zipfile.ZipFile(io.BytesIO(_archive()[0])) as right,
        zipfile.ZipFile(folder / "changed.bin", "w") as archive,
    ):
        for name in right.namelist():
            archive.writestr(name, content if name.endswith("data.pkl") else right.read(name))
    PARSERS["torch-archive"].read(folder, (folder / "changed.bin").read_bytes())


def _hdf5():
    from speechtl.models.weights import save_arrays

    return (_made(lambda path: save_arrays(path, WEIGHTS, {"source": "exp/base", "fingerprint": "ab"})),)


@parser("weights", _hdf5)
def _(folder, content):
    from speechtl.models.weights import load_arrays

    load_arrays(_file(folder, "weights.h5", content))


CHECKPOINT = json.dumps({"model_type": "whisper", "d_model": 8, "encoder_layers": 2, "num_mel_bins": 80}).encode()
INDEX = json.dumps({"metadata": {}, "weight_map": {"x": "model-1-of-2.safetensors"}}).encode()


@parser("checkpoint", [CHECKPOINT, INDEX])
def _(folder, content):
    from speechtl.pretrained.checkpoint import Checkpoint

    for name in ("model-1-of-2.safetensors", "model.safetensors")[: 1 if b"weight_map" in content else 2]:
        _file(folder, name, _safetensors()[1])
    _file(folder, "config.json", CHECKPOINT)
    if b"weight_map" in content:
        _file(folder, "model.safetensors.index.json", content)
    else:
        _file(folder, "config.json", content)
    checkpoint = Checkpoint(folder)
    assert isinstance(checkpoint.config, dict)
    checkpoint.weight_files, checkpoint.tensors  # noqa: B018


PHONES = b"<blk> 0\na 1\ni 2\n"


@parser("experiment", [CONFIG])
def _(folder, content):
    from speechtl.experiment.directory import ExperimentDirectory

    (folder / "phones").mkdir(exist_ok=True)
    (folder / "lexicon").mkdir(exist_ok=True)
    _file(folder / "phones", "en.txt", PHONES)
    _file(folder / "lexicon", "en.txt", b"ai a i\n")
    _file(folder, "config.toml", content)
    directory = ExperimentDirectory(folder)
    directory.features, directory.decoding_config()
    language = directory.language(None)
    directory.inventory(language), directory.own_lexicon(language), directory.frame_shift
