"""The verbs on an exported model against the experiment directory, and what they import."""

import shutil
import subprocess
import sys

import numpy as np
import pytest
import soundfile
from command_line import verb
from whistled_speech import RATE, whistle

import speechtl
from speechtl.data.tables import read_table

TEXT = "tak sit kus si ata tak"


@pytest.fixture(scope="module")
def exported(experiment, tmp_path_factory):
    """Return the file of the whistled model."""
    file = tmp_path_factory.mktemp("exported") / "whistled.speechtl"
    assert verb("export", experiment, file, dev=experiment.parent / "data") == 0
    return file


@pytest.fixture(scope="module")
def talk(exported):
    path = exported.parent / "talk.wav"
    soundfile.write(path, whistle(TEXT, 99)[0], RATE)
    return path


@pytest.fixture(scope="module")
def directory(experiment, tmp_path_factory):
    """Return the experiment directory as `speechtl train` leaves it."""
    folder = tmp_path_factory.mktemp("trained") / "exp"
    shutil.copytree(experiment, folder)
    assert verb("export", folder) == 0
    return folder


def test_transcribe_loads_neither_tensorflow_nor_what_is_as_slow(exported, directory, talk):
    code = (
        "import sys; from speechtl.cli.main import main\n"
        "for model in sys.argv[1:3]:\n"
        "    sys.argv = ['speechtl', 'transcribe', model, *sys.argv[-3:]]\n"
        "    try:\n        main()\n    except SystemExit as end:\n        assert not end.code\n"
        "    print('loaded:', *sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    command = [sys.executable, "-c", code, str(exported), str(directory), str(talk), "--add-word", "kit=k i t"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split("\n") == [TEXT, TEXT, ""]
    of_file, of_directory = (set(line.split()) for line in done.stderr.splitlines() if line.startswith("loaded:"))
    heavy = {"tensorflow", "keras", "librosa", "sklearn", "matplotlib", "h5py", "panphon", "pandas", "tomli_w"}
    assert not of_file & heavy
    # Weights of experiment directories are HDF5.
    assert of_directory & heavy == {"h5py"}


def test_recordings_are_decoded_and_aligned_where_there_is_no_tensorflow(exported, experiment, talk, tmp_path):
    (tmp_path / "talks").mkdir()
    shutil.copy(talk, tmp_path / "talks" / "one.wav")
    (tmp_path / "talks" / "one.txt").write_text(TEXT)
    code = (
        "import sys; from speechtl.cli.main import main\n"
        "sys.modules['tensorflow'] = None\n"
        "model, talks, out, lexicon = sys.argv[1:]\n"
        "for verb, options in (('align', []), ('decode', ['--lexicon', lexicon])):\n"
        "    sys.argv = ['speechtl', verb, model, talks, f'{out}/{verb}', *options]\n"
        "    try:\n        main()\n    except SystemExit as end:\n        assert not end.code\n"
    )
    command = [
        sys.executable,
        "-c",
        code,
        str(exported),
        str(tmp_path / "talks"),
        str(tmp_path),
        str(experiment / "lexicon" / "xx.txt"),
    ]
    subprocess.run(command, capture_output=True, text=True, check=True)
    assert [line.split()[4] for line in (tmp_path / "align" / "ctm").read_text().splitlines()] == TEXT.split()
    assert read_table(tmp_path / "decode" / "text") == {"talks-one": TEXT}


def test_words_phones_and_times_are_those_of_the_experiment(exported, experiment, talk):
    theirs, ours = (speechtl.load(model) for model in (experiment, exported))
    for one in (theirs, ours):
        one.add_word("kit", "k i t")
    expected, found = theirs.transcribe(talk), ours.transcribe(talk)
    assert [(word.label, word.start, word.end) for word in found.words] == [
        (word.label, word.start, word.end) for word in expected.words
    ]
    assert found.segments[0].score == pytest.approx(expected.segments[0].score, abs=0.1)
    assert ours.phones(talk) == ours.phones(talk) != []
    assert [phone.label for phone in ours.phones(talk)] == [phone.label for phone in theirs.phones(talk)]


def test_data_directories_are_decoded_and_aligned_as_by_the_experiment(exported, experiment, tmp_path):
    data = experiment.parent / "data"
    for name, model in (("ours", exported), ("theirs", experiment)):
        lexicon = experiment.parent / "lexicon.txt"
        speechtl.decode(model, data, tmp_path / name / "decoded", lexicon=lexicon)
        speechtl.align(model, data, tmp_path / name / "aligned", refine="never", textgrids=False)
    for table in ("decoded/text", "decoded/phones"):
        assert read_table(tmp_path / "ours" / table) == read_table(tmp_path / "theirs" / table)
    pairs = [(tmp_path / name / "aligned" / "phones.ctm").read_text().split() for name in ("ours", "theirs")]
    assert len(pairs[0]) == len(pairs[1])
    same = np.mean([one == other for one, other in zip(*pairs, strict=True)])
    assert same > 0.99
