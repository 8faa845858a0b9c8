import re

import numpy as np
import pytest
import tensorflow as tf
from command_line import run
from hypothesis import given, settings
from hypothesis import strategies as st
from training_runs import assert_same, events, weights

from speechtl.batches.config import BatchConfig, DataConfig, NormalisationConfig
from speechtl.batches.pipeline import make_dataset
from speechtl.batches.plan import plan_once
from speechtl.batches.source import Normaliser, Source
from speechtl.data.tables import read_table, write_table
from speechtl.errors import DataError, ModelError
from speechtl.experiment.config import load_config
from speechtl.experiment.train import train
from speechtl.features.archives import read_matrix, write_ark_scp
from speechtl.features.config import FeatureConfig
from speechtl.models.acoustic_model import AcousticModel
from speechtl.models.blocks import mean_over_time
from speechtl.models.config import ModelConfig
from speechtl.models.tdnn import TdnnConfig
from speechtl.training.block_outputs import pooled_outputs
from speechtl.training.objective import Objective
from speechtl.transfer.domain_adversarial import DomainAdversarial, reverse_gradient
from speechtl.transfer.method import Step

# Nothing is dropped, but it says that this is training.
SEED = tf.constant([1, 2])
FEATURES = FeatureConfig(num_mel_bins=12)
ENCODER = TdnnConfig(size=8, dilations=(1,), dropout=0.0)


def name_domains(folder, *domains):
    """Give the utterances of a data directory domains, in turns."""
    names = sorted(read_table(folder / "utt2spk"))
    write_table(folder / "utt2dom", {name: domains[i % len(domains)] for i, name in enumerate(names)})
    return folder


def distort(folder, domain, strength=3.0):
    """Add a constant vector to the features of a data directory, as a channel does to log energies."""
    shift = np.random.default_rng(7).normal(0, strength, 12).astype(np.float32)
    matrices = {name: read_matrix(place) + shift for name, place in read_table(folder / "feats.scp").items()}
    with write_ark_scp(folder / "shifted.ark", folder / "feats.scp") as write:
        for name in sorted(matrices):
            write(name, matrices[name])
    return name_domains(folder, domain)


def read_source(folder, language="xx"):
    normaliser = Normaliser(NormalisationConfig(kind="none"))
    return Source([], DataConfig(language=language), normaliser, FEATURES, unlabelled=[folder])


def one_batch(source):
    (batch,) = make_dataset(source, plan_once([source.frames], BatchConfig(frames=10**6)), 12)
    return batch


def prepared(method, sources):
    tf.keras.utils.set_random_seed(1)
    model = AcousticModel(ModelConfig(encoder=ENCODER), 12, {source.language: 4 for source in sources})
    model = method.prepare(model)
    method.attach(model, sources)
    return model


def gradients(model, method, batch, progress):
    variables = model.trainable_variables()
    with tf.GradientTape() as tape:
        terms, measures = Objective(model, [method])(batch, "xx", SEED, tf.constant(progress))
    found = tape.gradient(terms["domain"], [v.value for v in variables.values()], unconnected_gradients="zero")
    return dict(zip(variables, map(np.asarray, map(tf.convert_to_tensor, found)), strict=True)), terms, measures


@settings(max_examples=25)
@given(st.floats(0, 100, width=32), st.integers(0, 1000))
def test_reversal_is_the_identity_forward_and_minus_lambda_backward(strength, seed):
    x, upstream = tf.constant(np.random.default_rng(seed).normal(size=(2, 3, 4)).astype(np.float32)[:2])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = reverse_gradient(x, tf.constant(strength))
        value = tf.reduce_sum(y * upstream)
    np.testing.assert_array_equal(x, y)
    np.testing.assert_allclose(tape.gradient(value, x), -np.float32(strength) * upstream, rtol=1e-6)


@pytest.mark.parametrize(("progress", "expected"), [(0.0, 0.0), (0.25, 2 / (1 + np.exp(-2.5)) - 1), (1.0, 0.9999092)])
def test_the_ramp_of_the_paper(progress, expected):
    strength = DomainAdversarial(weight=3.0).strength(tf.constant(progress))
    assert float(strength) == pytest.approx(3 * expected, rel=1e-5, abs=1e-7)
    assert float(DomainAdversarial(weight=3.0, ramp=0.0).strength(tf.constant(progress))) == 3.0


def test_the_encoder_has_the_reversed_gradient_and_the_classifier_its_own(make_corpus):
    batch = one_batch(source := read_source(name_domains(make_corpus("train"), "a", "b")))
    found = {}
    for weight in (1.0, 4.0):
        method = DomainAdversarial(weight=weight, ramp=0.0, pooling="mean")
        found[weight], _, _ = gradients(prepared(method, [source]), method, batch, 0.5)
    model = prepared(DomainAdversarial(pooling="mean"), [source])
    (classifier,) = model.auxiliary.values()
    variables = model.trainable_variables()
    domains = np.array([["a", "b"].index(source.domains[i]) for i in batch.utterances.numpy()])
    with tf.GradientTape() as tape:  # the same classifier without any reversal
        encoded = model.encode(batch.features, batch.lengths)
        pooled = mean_over_time(encoded.outputs["tdnn1"], encoded.lengths["tdnn1"])
        scores = classifier(pooled[:, tf.newaxis])[:, 0]
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(domains, scores))
    plain = tape.gradient(loss, [v.value for v in variables.values()], unconnected_gradients="zero")
    seen = set()
    for name, gradient in zip(variables, map(tf.convert_to_tensor, plain), strict=True):
        sides = {"encoder": (-1.0, -4.0), "auxiliary": (1.0, 1.0), "heads": (0.0, 0.0)}[name.split("/")[0]]
        for weight, factor in zip((1.0, 4.0), sides, strict=True):
            np.testing.assert_allclose(found[weight][name], factor * gradient, rtol=1e-3, atol=1e-6, err_msg=name)
        seen.update({name.split("/")[0]} if np.any(np.abs(gradient) > 1e-4) else ())
    assert seen == {"encoder", "auxiliary"}


@pytest.mark.parametrize("pooling", ["mean", "frame"])
def test_loss_and_accuracy_are_those_of_utterances_alone(pooling, make_corpus):
    """No padding, no mixing of utterances, and each utterance counts the same however long it is."""
    source = read_source(name_domains(make_corpus("train"), "a", "b", "c"))
    method = DomainAdversarial(weight=1.0, pooling=pooling)
    model = prepared(method, [source])
    (classifier,) = model.auxiliary.values()
    losses, right = [], []
    for index in range(len(source)):
        encoded = model.encode(source.features(index)[np.newaxis], tf.constant([source.frames[index]]))
        outputs = encoded.outputs["tdnn1"]
        outputs = tf.reduce_mean(outputs, axis=1, keepdims=True) if pooling == "mean" else outputs
        scores = tf.nn.log_softmax(classifier(outputs))[0].numpy()
        truth = "abc".index(source.domains[index])
        losses.append(-scores[:, truth].mean())
        right.append((scores.argmax(axis=1) == truth).mean())
    _, terms, measures = gradients(model, method, one_batch(source), 0.5)
    assert float(terms["domain"]) == pytest.approx(np.mean(losses), rel=1e-5)
    assert float(measures["domain_accuracy"]) == pytest.approx(np.mean(right), rel=1e-5)


@pytest.mark.parametrize(
    ("by", "expected"), [("domain", "abc"), ("speaker", ["s0", "s1", "s2"]), ("language", ["xx", "yy"])]
)
def test_one_numbering_for_all_languages(by, expected, make_corpus):
    """Batches number domains within their source; the classifier's classes are those of all of them."""
    first = read_source(name_domains(make_corpus("one"), "a", "b"), "xx")
    second = read_source(name_domains(make_corpus("two"), "b", "c"), "yy")
    method = DomainAdversarial(by=by)
    model = prepared(method, [first, second])
    (classifier,) = model.auxiliary.values()
    assert classifier.output_layer.units == len(expected)
    for source in (first, second):
        batch = one_batch(source)
        encoded = model.encode(batch.features, batch.lengths)
        step = Step(model, batch, encoded, None, source.language, tf.constant(0.0))
        _, numbers, _ = method._decide(step, tf.constant(0.0))
        named = {"domain": source.domains, "speaker": source.speakers, "language": [source.language] * len(source)}[by]
        assert [expected[number] for number in numbers.numpy()[:, 0]] == [named[i] for i in batch.utterances.numpy()]


def test_what_is_wrong_with_domains_is_said(make_corpus):
    method, folder = DomainAdversarial(), make_corpus("train")
    with pytest.raises(DataError, match="12 training utterances have no domain; add utt2dom"):
        prepared(method, [read_source(folder)])
    with pytest.raises(DataError, match=r"has one domain \(a\), expected two or more"):
        prepared(method, [read_source(name_domains(folder, "a"))])
    with pytest.raises(ModelError, match="stands for 2 blocks; name one"):
        prepared(DomainAdversarial(block="all"), [read_source(folder)])
    with pytest.raises(ModelError, match="which has: subsampling, tdnn1"):
        prepared(DomainAdversarial(block="tdnn9"), [read_source(folder)])


def test_a_weight_of_zero_changes_nothing(make_config, tmp_path):
    short = ["training.epochs=2"]
    train(load_config(make_config(), short), tmp_path / "plain")
    adversarial = {"method": "domain_adversarial", "by": "speaker", "weight": 0.0}
    train(load_config(make_config(transfer=adversarial), short), tmp_path / "zero")
    assert_same(weights(tmp_path / "plain"), weights(tmp_path / "zero"))


def test_unlabelled_speech_of_another_domain_is_understood_better(make_config, make_corpus, tmp_path):
    """The domains can be told apart less and less, and the loss falls in the one without labels."""
    name_domains(make_corpus("train", utterances=40, seed=1), "clean")
    distort(make_corpus("other", utterances=40, seed=3), "noisy", 4.0)
    distort(make_corpus("dev", utterances=20, seed=2), "noisy", 4.0)
    plain = ["normalisation.kind=none", "augmentation.time_masks=0", "augmentation.frequency_masks=0"]
    plain += ["training.choose_pronunciations=[]", "training.epochs=10", "training.learning_rate=0.004"]
    losses, accuracy = {}, {}
    for weight in (1e-6, 0.3):
        method = {"method": "domain_adversarial", "weight": weight, "ramp": 0}
        path = make_config(data={"unlabelled": str(tmp_path / "other")}, transfer=method)
        losses[weight] = train(load_config(path, [*plain, "batches.frames=2000"]), tmp_path / str(weight))["dev_loss"]
        accuracy[weight] = events(tmp_path / str(weight), "epoch")[-1]["domain_accuracy"]
    assert accuracy[0.3] < accuracy[1e-6] - 0.08 and accuracy[1e-6] > 0.95
    assert losses[0.3] < 0.75 * losses[1e-6]


def test_the_verb_finds_what_a_block_keeps_and_draws_it(make_config, make_corpus, tmp_path):
    name_domains(make_corpus("train", seed=1), "clean")
    distort(make_corpus("other", seed=3), "noisy")
    train(load_config(make_config(), ["training.epochs=1", "normalisation.kind=none"]), tmp_path / "exp")
    command = ["probe", tmp_path / "exp", "--data", tmp_path / "train", "--data", tmp_path / "other"]
    result = run(*command, "--block", "first:1", "-o", tmp_path / "seen.svg")
    assert result.exit_code == 0, result.output
    assert re.search(
        r"exp subsampling: (9|10)\d.* % told apart, chance 50\.0 %.*24 utterances, 2 classes", result.output
    )
    picture = (tmp_path / "seen.svg").read_text()
    clouds = re.findall(r'<g id="PathCollection_\d+">(.*?)\n   </g>', picture, re.DOTALL)
    assert [cloud.count("<use ") for cloud in clouds] == [12, 12, 1, 1]  # The last two are the key.
    assert picture.count(">clean</text>") == picture.count(">noisy</text>") == 1
    assert "3 classes, other utterances in the test" in run(*command, "--by", "speaker").output
    (tmp_path / "other" / "utt2dom").unlink()
    with pytest.raises(DataError, match="s0-other-u000"):
        run(*command)


def test_pooled_outputs_are_means_of_each_utterance_alone(make_corpus):
    source = read_source(make_corpus("train"))
    model = AcousticModel(ModelConfig(encoder=ENCODER), 12, {})
    points = pooled_outputs(model, source, "tdnn1", BatchConfig(frames=300))
    for index in (0, 5, 11):
        outputs = model.encode(source.features(index)[np.newaxis], tf.constant([source.frames[index]])).outputs["tdnn1"]
        np.testing.assert_allclose(points[index], tf.reduce_mean(outputs, axis=1)[0], rtol=1e-4, atol=1e-5)
