"""More readers for `parsers.PARSERS`: of files that speechtl wrote, and that may have been changed since."""

import io
import json
import zipfile

from parsers import CHECKPOINT, CONFIG, PARSERS, PHONES, WEIGHTS, _file, _made, parser

import speechtl.errors

__all__ = ["PARSERS"]

SHARDS = (
    b'{"format": "speechtl shards, version 1", "utterances": 2, "digest": "ab", '
    b'"shards": [{"file": "a.tar", "size": 9000}]}\n'
    b'{"id":"u1","speaker":"s","shard":"a.tar","offset":512,"size":100,"crc32":77,"seconds":1.5,"suffix":".flac",'
    b'"text":"she turn"}\n'
)
STUDY = (
    b'{"system": "a", "speaker": "s", "part": 0, "count": 1, "seed": 1, "last": true, "errors": 1, "words": 4}\n'
    b'{"system": "a", "speaker": "s", "part": 0, "count": 2, "seed": 1, "last": false, "errors": 0, "words": 4}\n'
)
STUDY_ORIGIN = b'{"options": {"folds": 2, "data": "/x"}, "systems": {"a": "lhuc,epochs=1", "b": "lora"}}'
STORED_OUTPUTS = b'{"bytes": 0, "utterances": {"ab": [2, 3, 4], "cd": [90, 1, 4]}}'
CARD = (
    b'summary = "A model."\nlicence = "CC0"\nattribution = ["Nobody."]\ntrained = "For seconds."\ngood = ["x"]\n'
    b'bad = ["y"]\n[[data]]\nname = "invented"\nlanguages = ["xx"]\nhours = 0.1\nlicence = "CC0"\nattribution = "t"\n'
    b'[[numbers]]\ntest = "invented"\nmeasure = "PER, %"\nvalue = "0"\nby = "a test"\n[stored]\nparameters = 3\n'
    b'[stored.digests]\n"config.toml" = "ab"\n"a.gz" = "cd"\n"b.gz" = "ef"\n'
)
PAGE = b"---\nlicense: other\nlicense_name: some-licence\nlicense_link: x\ntags:\n- speech\n---\n# Model\n"
PER_UTT = b"u1 ref  she  turn\nu1 hyp  she  ***\nu1 op    C     D\nu1 #csid 1 0 0 1\n"
WER = b"%WER 50.00 [ 1 / 2, 0 ins, 1 del, 0 sub ]\n%SER 100.00 [ 1 / 1 ]\nScored 1 sentences, 0 not present in hyp.\n"
PER_SPK = b"speaker sent words sub del ins corr err serr\ns 1 2 0 1 0 50.0 50.0 100.0\nsum 1 2 0 1 0 50.0 50.0 100.0\n"


@parser("shard-index", [SHARDS])
def _(folder, content):
    from speechtl.data.shard_index import ShardIndex

    _file(folder, "index.jsonl", content)
    ShardIndex.load(folder).tables()


@parser("study", [STUDY])
def _(folder, content):
    from speechtl.adaptation.study_results import StudyResults

    results = StudyResults(_file(folder, "results.jsonl", content))
    results.close()
    assert StudyResults(folder / "results.jsonl").lines == results.lines


@parser("study-origin", [STUDY_ORIGIN])
def _(folder, content):
    from speechtl.adaptation.study_results import Origin, study_results

    (folder / "results.jsonl").write_bytes(STUDY)
    _file(folder, "study.json", content)
    with study_results(folder, Origin({"folds": 2}, {"b": "lora"})) as results:
        assert results.lines


@parser("stored-outputs", [STORED_OUTPUTS])
def _(folder, content):
    from speechtl.batches.output_store import OutputStore

    _file(folder, "outputs-1.ark", b"")
    _file(folder, "outputs-1.json", content)
    OutputStore(folder, {}).get("ab")


@parser("named-card", [CARD])
def _(folder, content):
    from speechtl.pretrained.named_models import CARD as name
    from speechtl.pretrained.named_models import read_card

    _file(folder, name, content)
    read_card(folder).page("x")


@parser("model-page", [PAGE])
def _(folder, content):
    from speechtl.pretrained.model_card import read_licence

    assert isinstance(read_licence(_file(folder, "README.md", content).parent), str)


@parser("curves", [b"a\t1\t2\n# x\na\t2\t3\t1\t4\n=b\t1\t5\n"])
def _(folder, content):
    from speechtl.report.curves import read_curves

    read_curves(_file(folder, "points.tsv", content))


for _name, _right in (("per_utt", PER_UTT), ("wer", WER), ("per_spk", PER_SPK)):

    @parser(f"score-{_name}", [_right])
    def _(folder, content, name=_name):
        from speechtl.report.scored_test import find_scored_tests

        for one, right in (("per_utt", PER_UTT), ("wer", WER), ("per_spk", PER_SPK)):
            _file(folder, one, content if one == name else right)
        find_scored_tests(folder)


for _layout in ("plain", "kaldi"):

    @parser(f"sentences-{_layout}", [b"s-1 she turn\ns-2 stop\n", "字 word\r\nx y\n".encode()])
    def _(folder, content, layout=_layout):
        from speechtl.grammar.sentences import read_sentences

        assert all(all(words) for words in read_sentences(_file(folder, "text", content), layout))


@parser("words", [b"she\nturn(2) t\n<sil> SIL\n", "字 x\r\n".encode()])
def _(folder, content):
    from speechtl.g2p.word_list import is_word_list
    from speechtl.grammar.sentences import read_words

    path = _file(folder, "words.txt", content)
    is_word_list(path)
    assert all(read_words(path))


def _mapped():
    import numpy as np

    from speechtl.recognition.mapped_arrays import save_mapped

    arrays = {"a": np.arange(6, dtype=np.int32).reshape(2, 3), "b": np.zeros(0, np.float32), "c": np.ones(3, bool)}
    return (_made(lambda path: save_mapped(path, arrays, [["speechtl", 20, "said"]])),)


@parser("mapped-arrays", _mapped)
def _(folder, content):
    """What the caller makes again in both cases (`speechtl.recognition.compiled_words`)."""
    from speechtl.recognition.mapped_arrays import load_mapped

    try:
        load_mapped(_file(folder, "x.words", content))
    except (OSError, ValueError) as error:
        raise speechtl.errors.DataError(f"damaged ({error})") from error


def _exported():
    from safetensors.numpy import save

    config = CONFIG.replace(b'source = "exp/base"', b'source = "base"')
    info = json.dumps({"format": 1, "graphs": {"encoder": list(WEIGHTS)}})
    found = []
    for how in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w", how) as archive:
            for name, text in (("speechtl.json", info), ("config.toml", config), ("phones/en.txt", PHONES)):
                archive.writestr(zipfile.ZipInfo(name), text, how)
            archive.writestr(zipfile.ZipInfo("lexicon/en.txt"), b"ai a i\n", how)
            archive.writestr(zipfile.ZipInfo("weights.safetensors"), save(WEIGHTS), zipfile.ZIP_STORED)
        found.append(content.getvalue())
    return tuple(found)


@parser("exported-model", _exported)
def _(folder, content):
    from speechtl.experiment.directory import ExperimentDirectory
    from speechtl.experiment.export_info import ExportInfo
    from speechtl.models.weight_files import load_arrays

    directory = ExperimentDirectory(_file(folder, "m.speechtl", content))
    ExportInfo.read(directory)
    language = directory.language(None)
    directory.inventory(language), directory.own_lexicon(language).entries, directory.features, directory.frame_shift
    load_arrays(directory.weights)


@parser("export-info", [b'{"format": 1, "precision": "float16", "graphs": {"encoder": ["a", "b"]}, "private": ["x"]}'])
def _(folder, content):
    from speechtl.experiment.export_info import ExportInfo
    from speechtl.layout import ExperimentLayout

    _file(folder, "speechtl.json", content)
    ExportInfo.read(ExperimentLayout(folder))


@parser("preprocessor", [CHECKPOINT, b'{"feature_size": 80, "sampling_rate": 16000, "do_normalize": true}'])
def _(folder, content):
    """The other description in a checkpoint, which says how audio is prepared."""
    from speechtl.pretrained.checkpoint import Checkpoint

    _file(folder, "config.json", CHECKPOINT)
    _file(folder, "preprocessor_config.json", content)
    assert isinstance(Checkpoint(folder).preprocessor, dict)
