"""From audio to words with times: a model of whistled speech, in which every phone is a tone."""

import io
import itertools
import sys

import numpy as np
import pytest
import soundfile
from command_line import verb
from result_schema import valid
from whistled_speech import RATE, WORDS, whistle

import speechtl
from speechtl.audio.voice_activity import SegmentationConfig
from speechtl.audio.waveform import FULL_SCALE
from speechtl.config import parse
from speechtl.data.datadir import DataDir
from speechtl.decoding.config import DecodingConfig
from speechtl.errors import ConfigError, DataError, LexiconError, ModelError
from speechtl.experiment.config import ExperimentConfig, load_config
from speechtl.experiment.experiment import Experiment
from speechtl.experiment.train import train
from speechtl.features.cmvn import accumulate
from speechtl.features.compute import compute_features
from speechtl.features.config import FeatureConfig
from speechtl.features.fbank import compute_many
from speechtl.models.weights import save_arrays
from speechtl.recognition.recogniser import Recogniser, RecogniserOptions
from speechtl.recognition.transcriber import Transcriber
from speechtl.recognition.transcript import Recording
from speechtl.recognition.vocabulary import Vocabulary, make_decoder
from speechtl.transfer.lin import Lin
from speechtl.transfer.speaker_layers import save_speaker


@pytest.fixture(scope="module")
def model(experiment):
    return Experiment.load(experiment)


def segments_of(transcriber, samples, rate=None):
    """Transcribe one recording, and return its segments."""
    (transcript,) = transcriber.transcribe_all([Recording("the audio", samples, rate)])
    if transcript.error is not None:
        raise transcript.error
    return list(transcript.segments)


@pytest.fixture(scope="module")
def transcriber(model):
    return Transcriber(model, make_decoder(model.lexicon(), model.inventory(), model.config.decoding))


@pytest.fixture
def audio(tmp_path):
    """Return a function that writes a file of whistled words."""

    def write(name, text, rate=RATE, **options):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(tmp_path / name, whistle(text, rate=rate, **options)[0], rate)
        return str(tmp_path / name)

    return write


def test_words_are_where_they_were_said(transcriber):
    text = "tak sit kus si ata tak"
    samples, times = whistle(text, 99)
    (segment,) = segments_of(transcriber, samples, RATE)
    assert segment.text == text and segment.complete
    for word, (start, end) in zip(segment.words, times, strict=True):
        assert abs(word.start - start) < 0.15 and abs(word.end - end) < 0.15
        assert list(word.phones) == WORDS[word.label][0].split()
        assert word.confidence is None or 0 <= word.confidence <= 1
    assert [phone.label for phone in segment.phones] == list("taksitkussiatatak")


def test_long_recordings_are_cut_at_pauses_and_keep_their_times(transcriber):
    texts = ["tak sit", "si", "ata kus ata", "sit sit tak kus"]
    samples, times, words = [np.zeros(0)], [], []
    for number, text in enumerate(texts):
        offset = len(np.concatenate(samples)) / RATE
        spoken, own = whistle(text, number)
        samples += [spoken, np.random.default_rng(number).normal(0, 0.001, round((1 + number) * RATE))]
        times += [(offset + start, offset + end) for start, end in own]
        words += text.split()
    segments = segments_of(transcriber, np.concatenate(samples), RATE)
    assert [segment.text for segment in segments] == texts
    found = [word for segment in segments for word in segment.words]
    assert [word.label for word in found] == words
    assert all(
        abs(word.start - start) < 0.15 and abs(word.end - end) < 0.15 for word, (start, end) in zip(found, times)
    )
    for segment in segments:
        assert all(segment.start <= word.start < word.end <= segment.end + 1e-9 for word in segment.words)


def test_rates_channels_and_number_types(transcriber):
    samples, _ = whistle("tak kus", rate=22050)
    stereo = np.stack([samples, samples], axis=1)
    whole = (samples * 32767).astype(np.int16)
    for array in (samples, samples.astype(np.float32), stereo, whole):
        assert [s.text for s in segments_of(transcriber, array, 22050)] == ["tak kus"]
    with pytest.raises(DataError, match="cannot transcribe an array"):
        segments_of(transcriber, samples.astype(np.int64), 22050)
    with pytest.raises(DataError, match="cannot transcribe an array"):
        segments_of(transcriber, samples)


def test_recordings_do_not_mix(transcriber, audio, tmp_path):
    """Whatever travels together: results come in order, each with its own, whether read to the end or not."""
    texts = ["tak", "sit kus", "", "ata", "si si si"]
    recordings = [Recording(f"r{n}", whistle(text, n)[0], RATE) for n, text in enumerate(texts)]
    recordings.insert(2, Recording("gone", tmp_path / "gone.wav"))
    cut = tmp_path / "cut.wav"
    audio("cut.wav", "kus tak")
    cut.write_bytes(cut.read_bytes()[:-400])
    recordings.append(Recording("cut", cut))
    seconds = []
    results = list(transcriber.transcribe_all(recordings, seconds.append))
    assert [r.name for r in results] == ["r0", "r1", "gone", "r2", "r3", "r4", "cut"]
    assert [r.text for r in results] == ["tak", "sit kus", "", "", "ata", "si si si", "kus tak"]
    assert [r.error is not None for r in results] == [False, False, True, False, False, False, True]
    assert "truncated" in str(results[-1].error)
    assert sum(seconds) == pytest.approx(sum(r.seconds for r in results)) and min(seconds) >= 0
    alone = segments_of(transcriber, recordings[1].audio, RATE)
    assert alone[0].text == "sit kus" and alone[0].score == pytest.approx(results[1].segments[0].score, abs=0.05)


def test_normalisation_is_the_recordings_the_speakers_or_leans_on_the_training(model, experiment):
    def statistics(**options):
        transcriber = Transcriber(model, **options)
        list(transcriber.transcribe_all([Recording(str(n), whistle("tak ata", n)[0], RATE) for n in range(3)]))
        return transcriber._reader._stats[0][0, -1]

    one = statistics()
    assert statistics(one_speaker=True) == pytest.approx(3 * one, rel=0.2)

    # With hardly any speech of its own, a recording is normalised by what training had.
    prior = np.zeros((2, 17))
    prior[0, :-1], prior[1, :-1], prior[0, -1] = 5000.0, 29000.0, 1000.0
    save_arrays(experiment / "cmvn.h5", {"global": prior})
    try:
        transcriber = Transcriber(model)
        features = np.full((1, 16), 7.0, np.float32)
        (normalised,) = transcriber._reader._normalise([features])
        np.testing.assert_allclose(normalised, 1.0, atol=0.05)  # mean 5, standard deviation 2
    finally:
        (experiment / "cmvn.h5").unlink()


def test_a_speakers_file_brings_layers_and_statistics(experiment, tmp_path, audio, capsys):
    speaker = Experiment.load(experiment)
    Lin().prepare(speaker.model)
    stats = np.zeros((2, 17))
    stats[0, :-1], stats[1, :-1], stats[0, -1] = 5e6, 29e6, 1e6
    save_speaker(tmp_path / "anna" / "speaker.h5", speaker.model, experiment, stats)
    transcriber = Transcriber(Experiment.load(experiment, tmp_path / "anna"))
    for _ in range(2):
        # The statistics of so much speech outweigh those of any recording; each recording begins with them.
        list(transcriber.transcribe_all([Recording("one", whistle("tak")[0], RATE)]))
        assert 1e6 < transcriber._reader._stats[0][0, -1] < 1e6 + 200
    (normalised,) = transcriber._reader._normalise([np.full((1, 16), 7.0, np.float32)])
    np.testing.assert_allclose(normalised, 1.0, atol=0.01)  # mean 5, standard deviation 2

    # Layers that are the identity, and statistics of the same speech: the same words.
    features = compute_many([FULL_SCALE * whistle("kus tak")[0].astype(np.float32)], speaker.config.features)
    save_speaker(tmp_path / "same" / "speaker.h5", speaker.model, experiment, accumulate(features[0]))
    run(experiment, str(audio("new.wav", "kus tak")), speaker=tmp_path / "same")
    assert capsys.readouterr().out == "kus tak\n"


def test_without_segmentation_a_recording_is_one_segment(model):
    decoder = make_decoder(model.lexicon(), model.inventory(), model.config.decoding)
    samples = np.concatenate([whistle("tak")[0], np.random.default_rng(0).normal(0, 0.001, 2 * RATE), whistle("si")[0]])
    (segment,) = segments_of(Transcriber(model, decoder, segmentation=None), samples, RATE)
    assert segment.text == "tak si" and segment.end == pytest.approx(len(samples) / RATE)
    parts = segments_of(Transcriber(model, decoder, segmentation=SegmentationConfig(pause=0.3)), samples, RATE)
    assert [part.text for part in parts] == ["tak", "si"]
    with pytest.raises(DataError, match="too long to be taken as one segment"):
        segments_of(Transcriber(model, segmentation=None), np.zeros(601 * RATE, np.float32), RATE)


def test_the_search_is_as_the_experiment_says(model):
    assert model.config.decoding.blank_penalty == 1.0 != DecodingConfig().blank_penalty
    assert Recogniser(model).decoders["xx"].config == model.config.decoding
    other = RecogniserOptions(settings=("decoding.blank_penalty=0.5",))
    assert Recogniser(model, options=other).decoders["xx"].config.blank_penalty == 0.5


def test_words_added_now_are_found(model, caplog):
    wide = DecodingConfig(beam=80)
    new = Vocabulary(add_words=("Kita=k i t æ", "tisa"))
    with caplog.at_level("INFO", logger="speechtl"):
        decoder = make_decoder(model.lexicon(), model.inventory(), wide, new)
    said = caplog.messages
    transcriber = Transcriber(model, decoder, nbest=3)
    (segment,) = segments_of(transcriber, whistle("tak kita tisa")[0], RATE)
    assert segment.text == "tak Kita tisa"
    assert segment.alternatives and segment.alternatives[0][1] <= segment.score
    assert any("æ -> a" in line for line in said) and any(
        "'tisa' is pronounced by guess: t i s a" in line for line in said
    )
    with pytest.raises(LexiconError, match="no word before"):
        make_decoder(model.lexicon(), model.inventory(), wide, Vocabulary(add_words=("=a",)))


def test_the_public_face(experiment, audio):
    recogniser = speechtl.load(experiment)
    path = audio("a.wav", "tak kita sit")
    assert "Kita" not in recogniser.transcribe(path).text
    assert recogniser.add_word("Kita", "k i t a") == [("k", "i", "t", "a")]
    transcript = recogniser.transcribe(path)
    assert transcript.text == "tak Kita sit" and transcript.name == path
    assert [word.label for word in transcript.words] == ["tak", "Kita", "sit"]
    # A word without phones is guessed, from the spelling of the words that the model was trained with.
    assert recogniser.add_word("tisa") == [("t", "i", "s", "a")]
    assert recogniser.transcribe(whistle("tisa kus")[0], RATE).text == "tisa kus"
    with pytest.raises(LexiconError, match="has this pronunciation already"):
        recogniser.add_word("tisa", ["t", "i", "s", "a"])
    # Phones need no lexicon.
    assert [phone.label for phone in recogniser.phones(path)] == list("takkitasit")
    assert [one.text for one in recogniser.transcribe_all([path, audio("b.wav", "si")])] == ["tak Kita sit", "si"]
    with pytest.raises(DataError, match="cannot read"):
        recogniser.transcribe("gone.wav")
    # Nothing of this is kept.
    assert "Kita" not in speechtl.load(experiment).transcribe(path).text
    assert speechtl.transcribe(experiment, path, add_words=["Kita=k i t a"]).text == "tak Kita sit"


def test_a_copy_has_words_of_its_own(experiment):
    recogniser = speechtl.load(experiment)
    recogniser.add_word("Kita", "k i t a")
    other = recogniser.copy()
    # What is only asked for is not added.
    assert other.pronounce("tisa").pronunciations[0].phones == ("t", "i", "s", "a")
    samples = whistle("kita tisa")[0]
    assert other.transcribe(samples, RATE).text.split()[0] == "Kita"
    other.add_word("tisa")
    assert other.transcribe(samples, RATE).text == "Kita tisa"
    assert "tisa" not in recogniser.transcribe(samples, RATE).text
    assert set(recogniser.lexicon().words) == set(WORDS)


def test_a_model_without_a_lexicon_knows_phones_until_words_are_added(model, experiment, tmp_path):
    import shutil

    shutil.copytree(experiment, tmp_path / "exp")
    shutil.rmtree(tmp_path / "exp" / "lexicon")
    samples = whistle("tak sit")[0]
    recogniser = speechtl.load(tmp_path / "exp")
    transcript = recogniser.transcribe(samples, RATE)
    assert transcript.text == "" and transcript.phones == "t a k s i t"
    with pytest.raises(LexiconError, match="nothing to guess them with"):
        recogniser.add_word("tak")
    recogniser.add_word("tak", "t a k")
    recogniser.add_word("sit", "s i t")
    assert recogniser.transcribe(samples, RATE).text == "tak sit"
    with pytest.raises(LexiconError, match="comes without words of"):
        speechtl.load(tmp_path / "exp", words=True)


def run(experiment, audio, **options):
    return verb("transcribe", experiment, *(audio if isinstance(audio, list) else [audio]), **options)


@pytest.fixture(scope="module")
def two_languages(experiment, tmp_path_factory):
    """Return the experiment with a second language, which whistles lower, on the same head."""
    folder = tmp_path_factory.mktemp("low")
    wav, speaker = {}, {}
    for number in range(20):
        name = f"low-{number:02d}"
        wav[name], speaker[name] = str(folder / f"{name}.wav"), "low"
        text = " ".join(np.random.default_rng(number).choice(sorted(WORDS), 3))
        soundfile.write(wav[name], whistle(text, number, pitch=0.6)[0], RATE)
    DataDir(path=folder / "data", wav_scp=wav, utt2spk=speaker).save(folder / "data")
    config = load_config(experiment / "config.toml").model_dump(mode="json", exclude_none=True)
    compute_features(DataDir.load(folder / "data"), FeatureConfig(**config["features"]), folder / "data" / "feats")
    identify = {"size": 16, "block": "input"}
    config["data"].append({"language": "low", "head": "xx", "unlabelled": str(folder / "data")})
    config["transfer"] = [
        {"method": "fine_tuning", "source": str(experiment)},
        {"method": "multitask", "keep": ["xx"], "keep_trunk": True, "identify": identify},
    ]
    config["training"] |= {"epochs": 6, "average": 1, "learning_rate": 0.01}
    train(parse(ExperimentConfig, config, "low"), folder / "exp")
    (folder / "exp" / "lexicon" / "low.txt").write_text("KAT k a t\nSI s i\n")
    return folder / "exp"


def test_the_language_of_every_segment_is_recognised(two_languages, audio, tmp_path, capsys):
    high, low = audio("high.wav", "tak sit kus"), audio("low.wav", "ata kus si", pitch=0.6)
    twice = tmp_path / "twice.wav"
    soundfile.write(twice, np.concatenate([soundfile.read(low)[0]] * 2), RATE)
    settings = ["segmentation.pause=0.4"]
    run(two_languages, [high, low, str(twice)], format="json", set_=settings)
    shown = capsys.readouterr()
    results = [valid(line) for line in shown.out.splitlines()]
    found = [[segment["language"] for segment in result["segments"]] for result in results]
    assert found == [["xx"], ["low"], ["low", "low"]]
    assert all(0.5 < one["language_probability"] <= 1 for result in results for one in result["segments"])
    # Each segment in the words of its language.
    assert results[0]["text"] == "tak sit kus"
    assert {word for segment in results[1]["segments"] for word in segment["text"].split()} <= {"KAT", "SI"}
    assert f"note: {twice}: low: 2 recognised (probability" in shown.err and "xx: 1 recognised" in shown.err

    run(two_languages, high, format="json", language="low")
    (segment,) = valid(capsys.readouterr().out)["segments"]
    assert segment["language"] == "low" and "language_probability" not in segment
    with pytest.raises(ConfigError, match=r"are of one language; name it with --language \((low, xx|xx, low)\)"):
        run(two_languages, high, add_word=["tik"])


def test_text_of_one_and_of_several(experiment, audio, tmp_path, capsys):
    one, other = audio("day/one.wav", "tak sit"), audio("day/deep/two.flac", "ata", rate=16000)
    run(experiment, one)
    assert capsys.readouterr().out == "tak sit\n"
    run(experiment, str(tmp_path / "day"))
    assert capsys.readouterr().out == f"{other}\tata\n{one}\ttak sit\n"
    run(experiment, str(tmp_path / "day"), out=f"{tmp_path}/out/", format="srt")
    assert (tmp_path / "out/deep/two.srt").read_text().startswith("1\n00:00:00,")
    assert "tak sit" in (tmp_path / "out/one.srt").read_text()
    run(experiment, one, phones=True)
    assert capsys.readouterr().out == "t a k s i t\n"


def test_phones_alone_with_times_and_probabilities(experiment, audio, capsys):
    path = audio("a.wav", "tak sit")
    run(experiment, path, phones=True, nbest=3, format="json")
    (segment,) = valid(capsys.readouterr().out)["segments"]
    phones = segment["phones"]
    assert [one["phone"] for one in phones] == list("taksit") and segment["words"] == [] and segment["text"] == ""
    for one, after in itertools.pairwise(phones):
        assert one["start"] < one["end"] <= after["start"]
        assert len(one["alternatives"]) == 2 and one["phone"] not in [other["phone"] for other in one["alternatives"]]
        assert one["confidence"] + sum(other["probability"] for other in one["alternatives"]) <= 1.01
    run(experiment, path, phones=True, format="ctm")
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [line[4] for line in lines] == list("taksit")
    for line, one in zip(lines, phones, strict=True):
        assert float(line[2]) == pytest.approx(one["start"], abs=1e-3)
        assert float(line[5]) == pytest.approx(one["confidence"], abs=1e-3)
    # With the blank made cheap, less is found; with it made dear, more.
    counts = []
    for penalty in (-30, 0, 30):
        run(experiment, path, phones=True, set_=[f"decoding.blank_penalty={penalty}"])
        counts.append(len(capsys.readouterr().out.split()))
    assert counts[0] < counts[1] < counts[2]


def test_what_is_no_command_is_no_word(experiment, audio, tmp_path, capsys):
    grammar = tmp_path / "commands.jsgf"
    grammar.write_text("#JSGF V1.0;\ngrammar c;\npublic <c> = tak sit kus | ata;\n")
    half, whole = audio("half.wav", "tak sit"), audio("whole.wav", "ata")
    run(experiment, [half, whole], grammar=grammar, set_=["decoding.beam=5"])
    out, err = capsys.readouterr()
    assert sorted(out.splitlines()) == [f"{half}\t", f"{whole}\tata"]
    # Said once in a process, which may be here.
    (note,) = [line for line in err.splitlines() if "is not exported" not in line]
    assert note.startswith(
        f"note: only the beginning of a command fits, which is left out in 1 of 2 segments of speech: {half}"
    )
    assert note.endswith(" s): tak sit ...")
    run(experiment, half, grammar=grammar, format="json", set_=["decoding.beam=5"])
    result = valid(capsys.readouterr().out)
    (segment,) = result["segments"]
    assert (result["text"], segment["words"], segment["complete"]) == ("", [], False)
    assert segment["beginning"] == "tak sit"
    grammar.write_text("#JSGF V1.0;\ngrammar c;\npublic <c> = long;\n")
    options = {"add_word": ["long=t a k s i t k u s"], "grammar": grammar, "set_": ["decoding.beam=5"]}
    run(experiment, half, **options)
    out, err = capsys.readouterr()
    assert out == "\n"
    assert err.splitlines()[-1].startswith(f"note: no word fits in 1 of 1 segments of speech: {half} (")
    for form, empty in (("ctm", ""), ("srt", ""), ("vtt", "WEBVTT\n\n")):
        run(experiment, half, format=form, **options)
        assert capsys.readouterr().out == empty


def test_formats_have_the_same_words(experiment, audio, tmp_path, capsys):
    path = audio("a b.wav", "tak sit kus")
    run(experiment, path, format="json", nbest=2, set_=["decoding.beam=80"])
    result = valid(capsys.readouterr().out)
    assert (result["recording"], result["text"]) == (path, "tak sit kus")
    (segment,) = result["segments"]
    words = segment["words"]
    assert [word["word"] for word in words] == ["tak", "sit", "kus"] and words[0]["phones"] == ["t", "a", "k"]
    assert len(segment["alternatives"]) == 1
    run(experiment, path, format="ctm")
    for line, word in zip(capsys.readouterr().out.splitlines(), words, strict=True):
        name, channel, start, duration, label = line.split()[:5]
        assert (name, channel, label) == ("a%20b", "1", word["word"])
        assert float(start) == pytest.approx(word["start"]) and float(duration) > 0
    run(experiment, path, format="textgrid", out=str(tmp_path / "out.TextGrid"))
    grid = (tmp_path / "out.TextGrid").read_text()
    assert grid.count("IntervalTier") == 2 and '"kus"' in grid


def test_standard_input(experiment, monkeypatch, capsys):
    samples, _ = whistle("sit tak")
    file = io.BytesIO()
    soundfile.write(file, samples, RATE, format="FLAC")
    raw = (samples * 32767).astype("<i2").tobytes()
    for content, rate in ((file.getvalue(), None), (raw, RATE)):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
        run(experiment, "-", raw_rate=rate)
        assert capsys.readouterr().out == "sit tak\n"


def test_a_broken_file_does_not_stop_the_others(experiment, audio, tmp_path, capsys):
    good, silent = audio("good.wav", "kus"), audio("silent.wav", "")
    (tmp_path / "empty.wav").touch()
    (tmp_path / "notes.wav").write_text("not audio at all " * 50)
    files = [str(tmp_path / "empty.wav"), good, str(tmp_path / "notes.wav"), silent, str(tmp_path / "gone.wav")]
    assert run(experiment, files) == 1
    out, err = capsys.readouterr()
    assert out == f"{good}\tkus\n{silent}\t\n"
    lines = err.splitlines()
    assert len(lines) == 5
    assert "empty.wav: empty (0 bytes)" in lines[0] and "notes.wav: not audio" in lines[1]
    assert lines[2].startswith("note: ") and "silent.wav: no speech in 0.25 s" in lines[2]
    assert "gone.wav: cannot read" in lines[3] and "3 of 5 recordings" in lines[4]
    run(experiment, silent)
    assert capsys.readouterr().out == "\n"


def test_mistakes_are_told_before_the_model_is_loaded(tmp_path, audio):
    nowhere, path = tmp_path / "exp", audio("a.wav", "si")
    (tmp_path / "folder").mkdir()
    for error, said, options in [
        (ConfigError, "--phones finds no words", {"phones": True, "add_word": ["x=a"]}),
        (ConfigError, "is about words", {"phones": True, "format": "srt"}),
        (ConfigError, "--format vtt is about words", {"phones": True, "format": "vtt"}),
        (ConfigError, "--raw-rate is about standard input", {"raw_rate": 8000}),
        (ModelError, "not an experiment directory", {}),
    ]:
        with pytest.raises(error, match=said):
            run(nowhere, path, **options)
    with pytest.raises(DataError, match="no such file or folder"):
        run(nowhere, str(tmp_path / "gone.wav"))
    with pytest.raises(DataError, match="no audio in this folder"):
        run(nowhere, str(tmp_path / "folder"))


def test_mistakes_about_the_model(experiment, audio, tmp_path):
    path = audio("a.wav", "si")
    audio("deep/a.wav", "si")
    (tmp_path / "bad.txt").write_text("tak t a k\nsit\n")
    for error, said, options in [
        (ModelError, "no head for language 'de'; this model has: xx", {"language": "de"}),
        (LexiconError, r"bad\.txt:2", {"lexicon": tmp_path / "bad.txt"}),
        (ConfigError, r"expected decoding\.key=value or segmentation\.key=value", {"set_": ["model.size=3"]}),
        (ConfigError, "beem: unknown key", {"set_": ["decoding.beem=3"]}),
        (ConfigError, "longest", {"set_": ["segmentation.longest=0"]}),
    ]:
        with pytest.raises(error, match=said):
            run(experiment, path, **options)
    two = [path, str(tmp_path / "deep" / "a.wav")]
    with pytest.raises(ConfigError, match="give a folder with --out DIR/"):
        run(experiment, two, format="srt")
    # Recordings of one name in two folders have a file each.
    run(experiment, two, out=f"{tmp_path}/out/")
    assert len(list((tmp_path / "out").iterdir())) == 2
