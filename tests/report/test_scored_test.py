import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechtl.errors import DataError
from speechtl.report.scored_test import find_scored_tests, read_scored_test
from speechtl.scoring.error_rate import error_rate, per_speaker
from speechtl.scoring.score_files import summary_lines, write_scores

WORDS = st.sampled_from(["a", "***", "é", "日本", "no\u00a0break", "&lt;", "x\u2028y"])
SENTENCES = st.lists(WORDS, max_size=6).map(" ".join)
INTERVAL = "95 % confidence interval 12.50 to 40.00 (bootstrap over 2 speakers, 10000 samples)"


def scored(folder, references, hypotheses, unit="word", utt2spk=(), lines=()):
    score = error_rate(references, hypotheses, unit)
    write_scores(folder, score, [*summary_lines(score), *lines], dict(utt2spk))
    return score


@given(pairs=st.lists(st.tuples(SENTENCES, SENTENCES), min_size=1, max_size=5))
def test_what_was_written_is_read_back(tmp_path_factory, pairs):
    folder = tmp_path_factory.mktemp("exp") / "dev"
    references = {f"u{number}": reference for number, (reference, _) in enumerate(pairs)}
    hypotheses = {f"u{number}": hypothesis for number, (_, hypothesis) in enumerate(pairs)}
    score = scored(folder, references, hypotheses, utt2spk={utterance: f"s{utterance[1:]}" for utterance in references})
    test = read_scored_test(folder, folder.parent)
    assert test.score == score
    assert test.speakers == per_speaker(score, {utterance: f"s{utterance[1:]}" for utterance in references})
    assert test.interval is None


@pytest.mark.parametrize(("unit", "measure"), [("word", "WER"), ("phone", "PER"), ("character", "CER")])
def test_interval_measure_and_names(tmp_path, unit, measure):
    references = {"u1": "one two", "u2": "three"}
    scored(tmp_path / "test" / measure.lower(), references, {"u1": "one too"}, unit, lines=[INTERVAL])
    (test,) = find_scored_tests(tmp_path)
    assert (test.name, test.place, test.measure) == ("test", f"test/{measure.lower()}", measure)
    assert test.interval == pytest.approx((0.125, 0.4))
    assert test.interval_note == "95 % confidence, bootstrap over 2 speakers, 10000 samples"
    assert test.missing == 1
    assert test.speakers == {}


def test_phone_feature_errors_are_read_beside_the_phone_errors(tmp_path):
    other = "95 % confidence interval 1.50 to 9.25 (bootstrap over 2 speakers, 10000 samples)"
    lines = [INTERVAL, "%PFER 20.83 [ 1.04 / 5 segments, 0.347 per utterance ]"]
    for name, more in (("dev", [*lines, other]), ("test", lines), ("words", [INTERVAL])):
        scored(tmp_path / name, {"u1": "p a"}, {"u1": "b a"}, "phone", lines=more)
    dev, test, words = find_scored_tests(tmp_path)
    assert dev.interval == test.interval == words.interval == pytest.approx((0.125, 0.4))
    assert (dev.features.rate, dev.features.errors, dev.features.segments) == pytest.approx((0.2083, 1.04, 5))
    assert dev.features.interval == pytest.approx((0.015, 0.0925))
    assert test.features.interval is None and words.features is None


def test_experiments_inside_are_left_out(tmp_path):
    for name in ("dev", "inner/dev", "deep/er/dev"):
        scored(tmp_path / name, {"u": "a"}, {"u": "a"})
    (tmp_path / "inner" / "config.toml").touch()
    assert [test.name for test in find_scored_tests(tmp_path)] == ["deep/er/dev", "dev"]


def error_of(folder):
    with pytest.raises(DataError) as error:
        read_scored_test(folder, folder.parent)
    return str(error.value)


def test_damaged_scores_are_refused(tmp_path):
    folder = tmp_path / "dev"
    scored(folder, {"u1": "one two", "u2": "three"}, {"u1": "one", "u2": "three"}, utt2spk={"u1": "s", "u2": "s"})
    again = "score again with speechtl score --out"
    whole = {path.name: path.read_text() for path in folder.iterdir()}

    (folder / "per_spk").write_text(whole["per_spk"].replace("s  ", "s  x", 1).replace("\ns  ", "\ns  x"))
    assert error_of(folder) == f"{folder}/per_spk:2: not a row of a speaker; {again}"
    (folder / "per_utt").write_text("\n".join(whole["per_utt"].splitlines()[:4]) + "\n")
    assert error_of(folder) == (
        f"{folder}: per_utt and wer are not of the same score "
        f"(per_utt sums up to %WER 50.00 [ 1 / 2, 0 ins, 1 del, 0 sub ]); {again}"
    )
    (folder / "per_utt").write_text("\n".join(whole["per_utt"].splitlines()[:6]) + "\n")
    assert error_of(folder) == (
        f"{folder}/per_utt:5: expected rows of ref, hyp, op and #csid with as many columns each; {again}"
    )
    (folder / "wer").write_text("12 %\n")
    assert error_of(folder) == f"{folder}/wer: no line with %WER, %CER or %PER; {again}"
    (folder / "wer").write_bytes(b"%WER \xff\n")
    assert error_of(folder) == f"{folder}/wer:1: not UTF-8 (byte 0xFF at column 6); save the file as UTF-8"
    (folder / "wer").unlink()
    assert error_of(folder) == f"{folder}/wer: cannot read: No such file or directory; {again}"
