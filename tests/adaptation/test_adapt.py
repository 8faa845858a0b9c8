import dataclasses
import json
import shutil

import numpy as np
import pytest
from command_line import verb
from invented_corpus import corpus_maker

import speechtl
from speechtl.adaptation.adapt import adapt
from speechtl.adaptation.config import choose_config
from speechtl.adaptation.draws import draws
from speechtl.adaptation.learner import Learner
from speechtl.adaptation.request import Request
from speechtl.adaptation.result import save_speaker_alone
from speechtl.adaptation.study import Study, run_study
from speechtl.adaptation.study_report import study_rows
from speechtl.batches.config import DataConfig
from speechtl.batches.labelling import Labelling
from speechtl.batches.source import Source
from speechtl.data.datadir import DataDir
from speechtl.data.tables import read_table
from speechtl.decoding.config import DecodingConfig
from speechtl.errors import ConfigError, DataError, LexiconError, ModelError
from speechtl.experiment.config import load_config
from speechtl.experiment.experiment import Experiment
from speechtl.experiment.train import train
from speechtl.features.archives import read_matrix, write_ark_scp
from speechtl.features.cmvn import accumulate, add
from speechtl.models.acoustic_model import AcousticModel
from speechtl.models.config import ModelConfig
from speechtl.models.weights import load_arrays, save_arrays
from speechtl.transfer.speaker_layers import SpeakerLayers

DECODING = DecodingConfig(word_insertion_penalty=2.0)
FEW = ("epochs=3", "folds=2", "frames=400")


def speak_otherwise(folder):
    """Give a data directory another voice: what was in one bin comes partly in the next."""
    data = DataDir.load(folder)
    matrices = {name: read_matrix(place).copy() for name, place in data.feats_scp.items()}
    with write_ark_scp(folder / "voice.ark", folder / "feats.scp") as write:
        for name in sorted(matrices):
            matrices[name] = 0.4 * matrices[name] + 0.6 * np.roll(matrices[name], 1, axis=1)
            write(name, matrices[name])
    with write_ark_scp(folder / "cmvn.ark", folder / "cmvn.scp") as write:
        for speaker, names in data.spk2utt.items():
            write(speaker, add(accumulate(matrices[name]) for name in names))
    return folder


@pytest.fixture(scope="module")
def workshop(shared_config_maker):
    """Return a folder with a trained source and one new speaker: ten recordings, and others to test on."""
    root, make_config = shared_config_maker
    make = corpus_maker(root)
    make("train", utterances=48, seed=1)
    config = make_config(augmentation={"time_masks": 0, "frequency_masks": 0}, batches={"frames": 1000})
    settings = ["training.epochs=8", "training.average=1", "training.choose_pronunciations=[]"]
    train(load_config(config, settings), root / "source")
    for name, count, seed in (("own", 10, 5), ("test", 12, 6)):
        speak_otherwise(make(name, utterances=count, speakers=1, seed=seed))
    return root


@pytest.fixture
def request_of(workshop, tmp_path):
    def make(**fields):
        given = {"source": workshop / "source", "data": workshop / "own", "out": tmp_path / "out", "settings": FEW}
        return Request(**(given | {"decoding": DECODING, "export": False} | fields))

    return make


def read_source(experiment, folder):
    labelling = Labelling(experiment.inventory(), experiment.lexicon())
    config = DataConfig(language="xx")
    return Source([folder], config, experiment.normaliser, experiment.config.features, labelling)


def files(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_speaker_layers_help_and_are_stored_alone(request_of, workshop, tmp_path):
    before = files(workshop / "source")
    settings = ("epochs=12", "folds=2", "frames=400", "learning_rate=0.02")
    result = adapt(request_of(method="lin", settings=settings, test=workshop / "test", source_speech=workshop / "dev"))
    assert files(workshop / "source") == before
    held_out, test, forgotten = result.comparisons
    assert [one.title for one in result.comparisons] == ["held out", "test", "source speech"]
    assert held_out.reduction > 0 and test.reduction > 0
    assert forgotten.before.words.total.sentences == 12
    assert result.file == tmp_path / "out" / "speaker.h5" and result.file.stat().st_size < 20_000
    assert not (tmp_path / "out" / "weights.h5").exists()
    # What is loaded is what was tested.
    experiment = Experiment.load(workshop / "source", speaker=tmp_path / "out")
    posteriors = dict(experiment.posteriors_of(workshop / "test"))
    from speechtl.adaptation.scorer import Scorer

    scorer = Scorer(experiment.inventory(), experiment.lexicon(), None, DECODING)
    again = scorer.score(DataDir.load(workshop / "test").text, posteriors)
    assert again.words.total == test.after.words.total
    numbers = json.loads((tmp_path / "out" / "adaptation.json").read_text())
    assert numbers["utterances"] == 10 and numbers["epochs"] == result.epochs and numbers["parameters"] == 12 * 13
    assert (tmp_path / "out" / "report.txt").read_text().splitlines() == result.lines
    assert read_table(tmp_path / "out" / "test" / "after" / "text").keys() == posteriors.keys()


def test_a_loaded_speaker_is_the_model_that_was_trained(workshop, tmp_path):
    experiment = Experiment.load(workshop / "source")
    learner = Learner(experiment, choose_config(10.0, "lhuc", ("epochs=3",)), "xx")
    source = read_source(experiment, workshop / "own")
    speech = learner.speech(source)
    for _ in learner.learn(speech, 3):
        pass
    save_speaker_alone(tmp_path, learner.model, str(workshop / "source"))
    loaded = Experiment.load(workshop / "source", speaker=tmp_path)
    plain = Experiment.load(workshop / "source")
    for matrix in speech.features:
        expected = experiment.posteriors(matrix)
        np.testing.assert_array_equal(loaded.posteriors(matrix), expected)
        assert np.abs(plain.posteriors(matrix) - expected).max() > 1e-3
    speechtl.decode(
        workshop / "source", workshop / "own", tmp_path / "heard", speaker=tmp_path, save_posteriors=tmp_path / "kept"
    )
    for name, place in read_table(tmp_path / "kept" / "posteriors.scp").items():
        expected = experiment.posteriors(speech.features[speech.ids.index(name)])
        np.testing.assert_allclose(read_matrix(place), expected, atol=1e-4)
    with pytest.raises(ConfigError, match=r"--speaker changes the model, which --posteriors does not run"):
        speechtl.decode(
            workshop / "source", workshop / "own", tmp_path / "x", speaker=tmp_path, posteriors=[tmp_path / "a.scp"]
        )


@pytest.mark.parametrize("seconds", [2.0, 30.0])
def test_a_speaker_of_a_model_of_usual_size_takes_less_than_100_kilobytes_by_default(seconds, tmp_path):
    model = AcousticModel(ModelConfig(), 80, {"en": 40})
    config = choose_config(seconds)
    assert config.stored_alone
    for method in config.transfer("source"):
        # A distance to the source adds no weights.
        model = method.prepare(model) if isinstance(method, SpeakerLayers) else model
    assert save_speaker_alone(tmp_path, model, "source").stat().st_size < 100_000


def test_other_methods_give_an_experiment_that_stands_alone(request_of, workshop, tmp_path):
    result = adapt(request_of(method="conservative_training", settings=(*FEW, "learning_rate=0.001")))
    assert result.file == tmp_path / "out" / "weights.h5"
    experiment = Experiment.load(tmp_path / "out")
    assert experiment.lexicon() == Experiment.load(workshop / "source").lexicon()
    assert [method.method for method in experiment.config.transfer] == ["fine_tuning", "conservative_training"]
    theirs = load_arrays(workshop / "source" / "weights.h5")[0]
    changed = any(np.any(array != theirs[name]) for name, array in load_arrays(result.file)[0].items())
    assert changed == bool(result.epochs)


def test_a_lexicon_with_probabilities_and_other_phones_is_trained_with_and_kept(workshop, tmp_path, capsys):
    # Every "a" is written as the model lacks it, and a pronunciation is less probable.
    lines = [line.split() for line in (workshop / "lexicon.txt").read_text().splitlines()]
    said = [f"{word} {1 - 0.5 * (phones == ['k', 'i', 's'])} {' '.join(phones)}\n" for word, *phones in lines]
    (tmp_path / "my.dict").write_text("".join(said).replace(" a", " aː"))
    place, out = [workshop / "source", workshop / "own"], tmp_path / "out"
    options = {"lexicon": tmp_path / "my.dict", "set_": FEW, "add_word": "neu=t u"}
    with pytest.raises(LexiconError, match="phone 'aː' is unknown; nearest known: a"):
        verb("adapt", *place, out, missing_phones="refuse", **options)
    assert verb("adapt", *place, out, method="fine_tuning", **options) == 0
    assert capsys.readouterr().out.count("aː -> a") == 1
    kept = Experiment.load(out).lexicon("xx")
    assert {one.phones: one.probability for one in kept.pronounce("kus")} == {("k", "u", "s"): 1, ("k", "i", "s"): 0.5}
    assert kept.phones_of(["tak", "neu"]) == ["t", "a", "k", "t", "u"]
    assert verb("align", out, workshop / "own", tmp_path / "ali") == 0


def test_gradient_descent_moves_what_matters_and_adam_moves_everything(workshop):
    changes = {}
    for optimizer in ("sgd", "adam"):
        experiment = Experiment.load(workshop / "source")
        learner = Learner(experiment, choose_config(10.0, "fine_tuning", (f"optimizer={optimizer}",)), "xx")
        source = read_source(experiment, workshop / "own")
        for _ in learner.learn(learner.speech(source), 1):
            break
        steps = [np.abs(np.ravel(learner.variables[name] - start)) for name, start in learner.start.items()]
        changes[optimizer] = np.concatenate(steps) / learner.config.learning_rate
        learner.reset()
        assert all(np.array_equal(learner.variables[name], start) for name, start in learner.start.items())
    # Adam's steps are of one size, gradient descent's are the gradient.
    assert np.median(changes["adam"]) > 0.9
    assert np.median(changes["sgd"]) < 0.1 * np.percentile(changes["sgd"], 99)


@pytest.mark.parametrize(("method", "rate"), [("lhuc", 30.0), ("fine_tuning", 0.3)])
def test_a_source_that_is_better_is_kept(request_of, workshop, tmp_path, method, rate):
    settings = (*FEW, f"learning_rate={rate}", "optimizer=adam")
    result = adapt(request_of(method=method, settings=settings, test=workshop / "test"))
    assert result.epochs == 0
    assert all(one.before.words.total == one.after.words.total for one in result.comparisons)
    assert "adaptation did not help on held-out speech: the source model is kept as it is" in result.lines
    assert not any("use it" in line for line in result.lines)
    source, features = Experiment.load(workshop / "source"), np.ones((30, 12), np.float32)
    if method == "lhuc":
        adapted = Experiment.load(workshop / "source", speaker=tmp_path / "out")
    else:
        adapted = Experiment.load(tmp_path / "out")
    np.testing.assert_array_equal(source.posteriors(features), adapted.posteriors(features))


def test_a_single_utterance(request_of, workshop, tmp_path):
    data = DataDir.load(workshop / "own")
    data.select(data.utterance_ids[:1]).save(tmp_path / "one")
    result = adapt(request_of(data=tmp_path / "one", method="lhuc"))
    assert result.utterances == 1 and result.epochs == result.config.epochs_alone and not result.comparisons
    assert any("nothing can be held out" in warning for warning in result.warnings)


def test_the_same_twice_is_the_same(request_of, tmp_path):
    results = [adapt(request_of(method="adapter", out=tmp_path / name)) for name in ("first", "second")]
    first, second = (load_arrays(result.file)[0] for result in results)
    assert first.keys() == second.keys()
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name])


def copy_with_text(workshop, folder, change):
    data = DataDir.load(workshop / "own")
    data.text = {name: change(number, text) for number, (name, text) in enumerate(sorted(data.text.items()))}
    data.save(folder)
    return folder


def test_unknown_words_are_named_and_their_utterances_left_out(request_of, workshop, tmp_path):
    folder = copy_with_text(workshop, tmp_path / "new", lambda number, text: text if number > 1 else "TAK qux")
    result = adapt(request_of(data=folder, method="lhuc"))
    assert result.utterances == 8
    (warning,) = [text for text in result.warnings if "2 of 10 recordings" in text]
    assert "(--g2p)" in warning
    assert warning.endswith(":\n  qux (in s0-own-u000)")
    assert "read as the lexicon spells them: 'TAK' as 'tak'" in result.warnings


def test_written_texts_adapt_as_clean_ones_do(request_of, workshop, tmp_path):
    folder = copy_with_text(workshop, tmp_path / "new", lambda number, text: text.capitalize() + "!")
    results = [
        adapt(request_of(data=data, method="lhuc", test=data, out=tmp_path / name))
        for name, data in (("clean", workshop / "own"), ("written", folder))
    ]
    assert results[1].comparisons == results[0].comparisons
    first, second = (load_arrays(result.file)[0] for result in results)
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name])


def test_a_text_in_another_script_is_one_error(request_of, workshop, tmp_path):
    folder = copy_with_text(workshop, tmp_path / "new", lambda number, text: "привет мир")
    with pytest.raises(LexiconError, match=r"every transcript has words that the lexicon lacks.*\n  мир \(in"):
        adapt(request_of(data=folder))
    assert not (tmp_path / "out" / "speaker.h5").exists()


def test_without_transcripts(request_of, workshop, tmp_path):
    data = DataDir.load(workshop / "own")
    data.text = {}
    data.save(tmp_path / "silent")
    with pytest.raises(DataError, match=r"no recording has a transcript"):
        adapt(request_of(data=tmp_path / "silent"))
    result = adapt(
        request_of(data=tmp_path / "silent", method="lhuc", unsupervised=True, confidence=0.3, test=workshop / "test")
    )
    assert 1 < result.utterances <= 10
    assert [one.title for one in result.comparisons] == ["test"]
    # With transcripts these serve to compare.
    compared = adapt(request_of(out=tmp_path / "second", method="lhuc", unsupervised=True, confidence=0.3))
    assert [one.title for one in compared.comparisons] == ["held out"]
    with pytest.raises(DataError, match=r"no recording is understood with confidence 1 \(best: 0\."):
        adapt(request_of(out=tmp_path / "third", unsupervised=True, confidence=1.0))


def test_a_rate_that_breaks_the_model_is_one_error(request_of, workshop, tmp_path):
    before = files(workshop / "source")
    with pytest.raises(ModelError, match=r"the loss is not finite at s0-own-.*; lower learning_rate or leave them out"):
        adapt(request_of(method="fine_tuning", settings=(*FEW, "learning_rate=1e30", "optimizer=adam")))
    assert files(workshop / "source") == before and not (tmp_path / "out" / "weights.h5").exists()


def test_another_result_is_replaced_only_if_wanted(request_of, workshop, tmp_path):
    first = adapt(request_of(method="lhuc")).file.read_bytes()
    with pytest.raises(DataError, match=r"holds another result already \(speaker\.h5\); .*--overwrite"):
        adapt(request_of(method="lin"))
    assert (tmp_path / "out" / "speaker.h5").read_bytes() == first
    assert adapt(request_of(method="lin", overwrite=True)).file.read_bytes() != first
    with pytest.raises(DataError, match=r"is the source itself, which stays as it is"):
        adapt(request_of(out=workshop / "source", overwrite=True))


def test_a_study_reads_the_lexicon_as_the_source_does(workshop, tmp_path, monkeypatch):
    source = tmp_path / "source"
    source.mkdir()
    text = (workshop / "source" / "config.toml").read_text()
    text = text.replace('stress = "drop"', 'stress = "keep"').replace('tone = "keep"', 'tone = "drop"')
    (source / "config.toml").write_text(text)
    (tmp_path / "lexicon.txt").write_text('tak t "a_T k\n')
    given = []
    monkeypatch.setattr("speechtl.adaptation.study.run_study", lambda study, out, lexicon, *rest: given.append(lexicon))
    monkeypatch.setattr("speechtl.adaptation.study_report.study_rows", lambda lines: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        verb("study", source, workshop / "own", tmp_path / "out", lexicon=tmp_path / "lexicon.txt", notation="xsampa")
    assert [option.phones for option in given[0].entries["tak"]] == [("t", "ˈa", "k")]


def test_a_study_of_two_systems_of_one_name_is_refused(workshop, tmp_path):
    with pytest.raises(ConfigError, match="--system lhuc: given twice; name one of them"):
        verb("study", workshop / "source", workshop / "own", tmp_path, system=["lhuc", "lhuc,epochs=1"])


def test_the_verb(workshop, tmp_path, capsys):
    place, out = [workshop / "source", workshop / "own"], tmp_path / "out"
    assert verb("adapt", *place, out, method="lhuc", set_=FEW) == 0
    shown = capsys.readouterr().out
    assert "held out  before" in shown
    assert f"use it: speechtl transcribe {place[0]} AUDIO --speaker {out} (likewise" in shown
    with pytest.raises(DataError, match=r"holds another result already \(speaker\.h5\); .*--overwrite"):
        verb("adapt", *place, out)


def test_draws_test_every_utterance_once_and_smaller_counts_are_within_larger_ones(workshop):
    data = DataDir.load(workshop / "dev")
    chosen = draws(data, data.utterance_ids, (1, 2, 0), 2)
    for count in (1, 2, 0):
        tests = [index for one in chosen if one.count == count for index in one.test]
        assert sorted(tests) == list(range(len(data)))
    for one in chosen:
        assert not set(one.learn) & set(one.test)
        speakers = {data.utt2spk[data.utterance_ids[index]] for index in (*one.learn, *one.test)}
        assert speakers == {one.speaker}
    sets = {(one.speaker, one.part, one.count): set(one.learn) for one in chosen}
    assert all(learn <= sets[speaker, part, 0] for (speaker, part, _), learn in sets.items())
    anew = draws(data, data.utterance_ids, (1, 2, 0), 2, seed=2)
    assert [one.test for one in anew] != [one.test for one in chosen]
    assert not {one.key for one in anew} & {one.key for one in chosen}


def test_a_study_continues_where_it_stopped(workshop, tmp_path):
    study = Study(
        workshop / "source",
        workshop / "own",
        {"default": ("default", FEW), "quick": ("lhuc", ("epochs=2",))},
        counts=(1, 3),
        folds=2,
        source_speech=workshop / "dev",
        every_epoch=True,
    )
    lines = run_study(study, tmp_path, None, None, DECODING, None)
    finished = [line for line in lines if line["last"]]
    assert len(finished) == 2 * 2 * 2
    assert {line["epoch"] for line in lines if line["system"] == "quick"} == {1, 2}
    assert sum("source_after" in line for line in finished) == 4
    kept = (tmp_path / "results.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "results.jsonl").write_text("".join(kept[:-1]) + kept[-1][:20])
    again = run_study(study, tmp_path, None, None, DECODING, None)
    strip = [{key: value for key, value in line.items() if key not in ("wall", "processor")} for line in lines]
    order = [{key: value for key, value in line.items() if key not in ("wall", "processor")} for line in again]
    assert sorted(map(json.dumps, strip)) == sorted(map(json.dumps, order))
    with pytest.raises(DataError, match="folds: 2 there, 3 here"):
        run_study(dataclasses.replace(study, folds=3), tmp_path, None, None, DECODING, None)
    # A model is known by its weights, wherever it is.
    shutil.copytree(workshop / "source", tmp_path / "moved")
    moved = dataclasses.replace(study, source=tmp_path / "moved")
    assert run_study(moved, tmp_path, None, None, DECODING, None) == again
    arrays, attributes = load_arrays(tmp_path / "moved" / "weights.h5")
    name = next(iter(arrays))
    save_arrays(tmp_path / "moved" / "weights.h5", arrays | {name: arrays[name] + 1}, attributes)
    with pytest.raises(DataError, match="weights of the model: "):
        run_study(moved, tmp_path, None, None, DECODING, None)
    # A study from before there were seeds goes on, too: what it has is of seed 1.
    unseeded = [{key: value for key, value in line.items() if key != "seed"} for line in lines]
    (tmp_path / "results.jsonl").write_text("".join(json.dumps(line) + "\n" for line in unseeded))
    continued = run_study(study, tmp_path, None, None, DECODING, None)
    assert continued == [{"seed": 1} | json.loads(json.dumps(line)) for line in unseeded]
    rows = study_rows(lines)
    assert [row[:2] for row in rows] == [["default", "1"], ["default", "3"], ["quick", "1"], ["quick", "3"]]
