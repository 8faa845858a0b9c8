import numpy as np
import pytest

from speechtl.batches.config import AugmentationConfig, BatchConfig, DataConfig, NormalisationConfig
from speechtl.batches.labelling import Labelling
from speechtl.batches.pipeline import Shard, make_dataset
from speechtl.batches.plan import plan_epoch
from speechtl.batches.source import Normaliser, Source
from speechtl.data.tables import read_table, write_table
from speechtl.errors import DataError, LexiconError
from speechtl.features.archives import read_matrix
from speechtl.features.config import FeatureConfig
from speechtl.lang.lexicon import Lexicon
from speechtl.lang.phone_inventory import PhoneInventory

FEATURES = FeatureConfig(num_mel_bins=12)
INVENTORY = PhoneInventory(["a", "i", "k", "s", "t", "u"])


def make_source(folder, lexicon_file, kind="speaker", inventory=INVENTORY, **more):
    normaliser = Normaliser(NormalisationConfig(kind=kind))
    config, lexicon = DataConfig(language="xx"), Lexicon.load(lexicon_file)
    return Source([folder], config, normaliser, FEATURES, Labelling(inventory, lexicon), **more)


def test_labels_are_first_pronunciations_and_variants_are_kept(make_corpus, lexicon_file):
    folder = make_corpus("train")
    source = make_source(folder, lexicon_file)
    text = read_table(folder / "text")
    lexicon = Lexicon.load(lexicon_file)
    for name, labels, variants in zip(source.utterance_ids, source.labels, source.variants, strict=True):
        words = text[name].split()
        assert INVENTORY.decode(labels) == lexicon.phones_of(words)
        assert [len(word) for word in variants] == [2 if word == "kus" else 1 for word in words]


def test_normalisation_by_speaker_and_by_utterance(make_corpus, lexicon_file):
    folder = make_corpus("train")
    source = make_source(folder, lexicon_file)
    for speaker in set(source.speakers):
        rows = np.concatenate([source.features(i) for i, s in enumerate(source.speakers) if s == speaker])
        np.testing.assert_allclose(rows.mean(axis=0), 0, atol=1e-4)
        np.testing.assert_allclose(rows.std(axis=0), 1, atol=1e-3)
    by_utterance = make_source(folder, lexicon_file, kind="utterance")
    np.testing.assert_allclose(by_utterance.features(0).mean(axis=0), 0, atol=1e-4)
    plain = make_source(folder, lexicon_file, kind="none").features(0)
    np.testing.assert_array_equal(plain, read_matrix(read_table(folder / "feats.scp")[source.utterance_ids[0]]))
    with pytest.raises(DataError, match="global normalisation needs"):
        Normaliser(NormalisationConfig(kind="global"))


def test_batches_hold_what_the_source_holds(make_corpus, lexicon_file):
    source = make_source(make_corpus("train"), lexicon_file)
    plan = plan_epoch([source.frames], [1.0], BatchConfig(frames=500), seed=1, epoch=0)
    seen = []
    for planned, batch in zip(plan, make_dataset(source, plan, 12), strict=True):
        assert tuple(batch.utterances.numpy()) == planned.utterances
        assert int(batch.total) == len(planned.utterances)
        for row, index in enumerate(planned.utterances):
            length, count = int(batch.lengths[row]), int(batch.label_lengths[row])
            np.testing.assert_array_equal(batch.features[row, :length], source.features(index))
            assert not np.any(batch.features[row, length:]) and not np.any(batch.labels[row, count:])
            assert list(batch.labels[row, :count].numpy()) == source.labels[index]
            assert sorted(set(source.speakers))[int(batch.speakers[row])] == source.speakers[index]
            seen.append(index)
    assert sorted(seen) == list(range(len(source)))


def test_replicas_share_a_batch_and_its_masks(make_corpus, lexicon_file):
    source = make_source(make_corpus("train"), lexicon_file)
    plan = plan_epoch([source.frames], [1.0], BatchConfig(frames=500), seed=1, epoch=0)
    augment = {"augmentation": AugmentationConfig(), "seed": (1, 0)}
    whole = {}
    for batch in make_dataset(source, plan, 12, **augment):
        for row, index in enumerate(batch.utterances.numpy()):
            whole[int(index)] = batch.features[row, : int(batch.lengths[row])].numpy()
    seen = []
    for replicas in ((0,), (1, 2)):
        for batch in make_dataset(source, plan, 12, shard=Shard(replicas, 3), **augment):
            for row, index in enumerate(batch.utterances.numpy()):
                if batch.label_lengths[row] == 0:
                    assert int(batch.lengths[row]) == 0  # a replica without a share of a small batch
                    continue
                seen.append(int(index))
                np.testing.assert_array_equal(batch.features[row, : int(batch.lengths[row])], whole[int(index)])
    assert sorted(seen) == list(range(len(source)))


def test_targets_are_the_features_before_augmentation(make_corpus, lexicon_file):
    source = make_source(make_corpus("train"), lexicon_file)
    source.targets["input"] = source
    plan = plan_epoch([source.frames], [1.0], BatchConfig(frames=500), seed=1, epoch=0)
    augment = {"augmentation": AugmentationConfig(noise=1.0), "seed": (1, 0)}
    assert not next(iter(make_dataset(source, plan, 12, **augment))).targets
    plain = make_dataset(source, plan, 12)
    for batch, before in zip(make_dataset(source, plan, 12, targets=True, **augment), plain, strict=True):
        assert np.any(batch.features != before.features)
        np.testing.assert_array_equal(batch.targets["input"], before.features)


def test_utterances_without_features_are_left_out_and_counted(make_corpus, lexicon_file, caplog):
    folder = make_corpus("train")
    feats, counts = read_table(folder / "feats.scp"), read_table(folder / "utt2num_frames")
    names = sorted(feats)
    feats.pop(names[5])
    counts.pop(names[2])
    counts[names[0]] = "0"
    write_table(folder / "feats.scp", feats)
    write_table(folder / "utt2num_frames", counts)
    assert make_source(folder, lexicon_file).utterance_ids == [names[1], *names[3:5], *names[6:]]
    assert [record.message for record in caplog.records if "left out" in record.message] == [
        f"1 utterance: left out, {folder}: too short for one frame of features ({names[0]})",
        f"2 utterances: left out, {folder}: no features; run speechtl features again, with the same options "
        f"({names[2]}; {names[5]})",
    ]
    write_table(folder / "utt2num_frames", dict.fromkeys(names, "0"))
    with pytest.raises(DataError, match=r"no utterance is of use \(.*too short"):
        make_source(folder, lexicon_file)


def test_a_directory_without_features_is_told_how_to_get_the_right_ones(make_corpus, lexicon_file):
    """In one line: its language is nothing that anyone has said where speech is decoded."""
    folder = make_corpus("train")
    (folder / "feats.scp").unlink()
    advice = f"run speechtl features {folder}, with --model MODEL or the --config of the training"
    with pytest.raises(DataError, match=f"^{folder}/feats.scp: missing; {advice}$"):
        make_source(folder, lexicon_file)


def test_an_utterance_without_transcript_is_named(make_corpus, lexicon_file):
    folder = make_corpus("train")
    text = read_table(folder / "text")
    missing = sorted(text)[2]
    (folder / "text").write_text("".join(f"{name} {words}\n" for name, words in text.items() if name != missing))
    with pytest.raises(DataError, match=f"'{missing}' is not in text"):
        make_source(folder, lexicon_file)


def test_unlabelled_speech_needs_no_transcript(make_corpus, lexicon_file):
    folder = make_corpus("train")
    (folder / "text").unlink()
    config, normaliser = DataConfig(language="xx"), Normaliser(NormalisationConfig())
    source = Source([folder], config, normaliser, FEATURES)
    assert len(source) == 12 and not any(source.labels)
    with pytest.raises(DataError, match="transcript"):
        make_source(folder, lexicon_file)


def test_unknown_words_and_phones_are_listed(make_corpus, lexicon_file, tmp_path):
    folder = make_corpus("train")
    small = tmp_path / "small.txt"
    small.write_text("tak t a k\nsit s i t\n")
    with pytest.raises(LexiconError) as error:
        make_source(folder, small)
    assert all(word in str(error.value) for word in ("kus", "ata", "si "))
    with pytest.raises(LexiconError, match=r"nearest here: i a k"):
        make_source(folder, lexicon_file, inventory=PhoneInventory(["a", "i", "k", "s", "t"]))


def test_utterances_without_words_are_left_out_and_told(make_corpus, lexicon_file, caplog):
    folder = make_corpus("train")
    text = read_table(folder / "text")
    silent = sorted(text)[:5]
    write_table(folder / "text", text | dict.fromkeys(silent, ""))
    source = make_source(folder, lexicon_file)
    assert source.utterance_ids == sorted(set(text) - set(silent)) and all(source.labels)
    (message,) = [record.message for record in caplog.records]
    assert f"{folder}/text: no transcript" in message and "5" in message
    # Without transcripts, nothing needs words.
    assert len(Source([], DataConfig(), Normaliser(NormalisationConfig()), FEATURES, unlabelled=[folder])) == len(text)
