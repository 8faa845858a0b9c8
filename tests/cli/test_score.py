"""``speechtl score`` and ``speechtl compare`` as a person runs them."""

import os

import pytest
from command_line import run

from speechtl.errors import ConfigError, DataError, LexiconError, SpeechtlError

REFERENCES = {"a-1": "YES PLEASE DO", "a-2": "GO", "b-1": "TEN NINE EIGHT", "b-2": "北京 上海"}
HYPOTHESES = {"a-1": "YES PLEASE IT", "a-2": "GO", "b-1": "TEN FIVE NINE EIGHT", "b-2": "北京"}


def write(path, table):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{key} {value}\n" for key, value in table.items()), encoding="utf-8")
    return path


@pytest.fixture
def files(tmp_path):
    write(tmp_path / "data" / "text", REFERENCES)
    write(tmp_path / "data" / "utt2spk", {key: key[0] for key in REFERENCES})
    write(tmp_path / "hyp" / "text", HYPOTHESES)
    return tmp_path


def test_score_prints_kaldis_lines_interval_and_speakers(files):
    result = run("score", files / "data", files / "hyp", "--out", files / "out", "--confusions", 2)
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert lines[:3] == [
        "%WER 33.33 [ 3 / 9, 1 ins, 1 del, 1 sub ]",
        "%SER 75.00 [ 3 / 4 ]",
        "Scored 4 sentences, 0 not present in hyp.",
    ]
    assert lines[3] == "95 % confidence interval 25.00 to 40.00 (bootstrap over 2 speakers, 10000 samples)"
    assert [line.split() for line in lines[5:8]] == [
        ["a", "2", "4", "1", "0", "0", "1", "25.00", "50.00"],
        ["b", "2", "5", "0", "1", "1", "2", "40.00", "100.00"],
        ["SUM", "4", "9", "1", "1", "1", "3", "33.33", "75.00"],
    ]
    assert [line.split() for line in lines[8:]] == [["deletion", "上海", "***", "1"], ["insertion", "***", "FIVE", "1"]]
    assert (files / "out" / "wer").read_text(encoding="utf-8").splitlines() == lines[:4]
    assert (files / "out" / "per_spk").read_text(encoding="utf-8").splitlines() == lines[4:8]
    assert (files / "out" / "per_utt").read_text(encoding="utf-8").splitlines() == [
        "a-1 ref  YES  PLEASE  DO",
        "a-1 hyp  YES  PLEASE  IT",
        "a-1 op    C     C     S",
        "a-1 #csid 2 1 0 0",
        "a-2 ref  GO",
        "a-2 hyp  GO",
        "a-2 op   C",
        "a-2 #csid 1 0 0 0",
        "b-1 ref  TEN  ***   NINE  EIGHT",
        "b-1 hyp  TEN  FIVE  NINE  EIGHT",
        "b-1 op    C    I     C      C",
        "b-1 #csid 3 0 1 0",
        "b-2 ref  北京  上海",
        "b-2 hyp  北京  ***",
        "b-2 op    C     D",
        "b-2 #csid 1 0 0 1",
    ]
    operations = (files / "out" / "ops").read_text(encoding="utf-8").splitlines()
    assert [line.split()[0] for line in operations] == ["deletion", "insertion", "substitution", *["correct"] * 7]


def test_tables_score_without_speakers(files):
    result = run("score", files / "data" / "text", files / "hyp" / "text", "--out", files / "out", "--samples", 50)
    assert result.exit_code == 0, result.output
    assert "(bootstrap over 4 utterances, 50 samples)" in result.output
    assert "speaker" not in result.output
    assert not (files / "out" / "per_spk").exists()
    again = run("score", files / "data" / "text", files / "hyp", "--utt2spk", files / "data" / "utt2spk")
    assert "over 2 speakers" in again.output
    assert "over 4 utterances" in run("score", files / "data", files / "hyp", "--resample", "utterance").output


def test_one_speaker_is_drawn_by_utterances_and_one_utterance_not_at_all(files):
    write(files / "data" / "utt2spk", dict.fromkeys(REFERENCES, "s"))
    assert "over 4 utterances" in run("score", files / "data", files / "hyp").output
    write(files / "one", {"u": "a b"})
    result = run("score", files / "one", files / "one")
    assert result.exit_code == 0
    assert "has no confidence interval" in result.stderr


def test_characters_show_their_spaces(files):
    result = run("score", files / "data", files / "hyp", "--unit", "character", "--out", files / "out")
    assert result.output.startswith("%CER ")
    assert "<space>" in (files / "out" / "per_utt").read_text(encoding="utf-8")


def test_phones_are_scored_by_the_best_matching_pronunciation(files):
    write(files / "words", {"u": "the end", "v": "the"})
    write(files / "exp" / "phones", {"u": "ð i ɛ n", "v": "ð ə"})
    (files / "lexicon.txt").write_text("the ð ə\nthe ð i\nend ɛ n d\n", encoding="utf-8")
    result = run("score", files / "words", files / "exp", "--unit", "phone", "--lexicon", files / "lexicon.txt")
    assert result.output.startswith("%PER 14.29 [ 1 / 7, 0 ins, 1 del, 0 sub ]"), result.output
    write(files / "other", {"u": "ð ə ɛ n d", "v": "ð ə"})
    result = run(
        *("compare", files / "words", files / "exp", files / "other"),
        *("--unit", "phone", "--lexicon", files / "lexicon.txt"),
    )
    assert "B - A: -14.29 points, -100.0 % relative" in result.output
    assert "whose references differ" in result.output


def test_errors_of_case_and_punctuation_are_told_apart(files):
    write(files / "ref", {"u1": "the quick brown fox", "u2": "hello world - again"})
    write(files / "hyp2", {"u1": "The quick, brown fox.", "u2": "HELLO WORD again"})
    result = run("score", files / "ref", files / "hyp2")
    assert result.stdout.startswith("%WER 75.00 [ 6 / 8")
    assert "warning: 5 of 6 errors are differences of case or punctuation alone; write" in result.stderr
    assert "case or punctuation" not in run("score", files / "data", files / "hyp").stderr


def test_phones_have_feature_errors_too(files):
    write(files / "ref", {"a-1": "p a", "a-2": "t͡ʃ i", "b-1": "s ʡ"})
    # In panphon's table p and b differ in one of 24 features, s is wrongly inserted.
    write(files / "first", {"a-1": "b a", "a-2": "t͡ʃ i s", "b-1": "s ʡ"})
    write(files / "second", {"a-1": "b a", "a-2": "t͡ʃ i", "b-1": "sil s ʡ"})
    write(files / "utt2spk", {"a-1": "a", "a-2": "a", "b-1": "b"})
    options = ("--unit", "phone", "--utt2spk", files / "utt2spk")
    result = run("score", files / "ref", files / "first", *options, "--out", files / "out")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[4] == "%PFER 20.83 [ 1.04 / 5 segments, 0.347 per utterance ]"
    assert lines[5] == "95 % confidence interval 0.00 to 26.04 (bootstrap over 2 speakers, 10000 samples)"
    assert [line.split()[-1] for line in lines[7:10]] == ["26.04", "0.00", "20.83"]
    assert (files / "out" / "wer").read_text(encoding="utf-8").splitlines() == lines[:6]
    assert "panphon does not know, or not all of, 2 phones, which count as far as it does: ʡ (2)" in result.stderr
    result = run("compare", files / "ref", files / "first", files / "second", *options, "--resample", "utterance")
    lines = result.stdout.splitlines()
    assert lines[6:8] == [
        "A %PFER 20.83 [ 1.04 / 5 segments, 0.347 per utterance ]",
        "B %PFER 0.83 [ 0.04 / 5 segments, 0.014 per utterance ]",
    ]
    assert lines[8] == "PFER, B - A: -20.00 points, -96.0 % relative"
    assert result.stderr.count("ʡ (2)") == 1


def test_phones_that_are_not_ipa_have_no_feature_errors(files):
    write(files / "ref", {"u": "AA1 B", "v": "SIL D"})
    result = run("score", files / "ref", files / "ref", "--unit", "phone")
    assert result.stdout.startswith("%PER 0.00")
    assert "PFER" not in result.stdout and "there is no PFER" in result.stderr


def test_missing_hypotheses_and_empty_references_are_told(files):
    write(files / "ref", {**REFERENCES, "c-1": ""})
    write(files / "hyp" / "text", {"a-1": "YES", "c-1": "UH"})
    result = run("score", files / "ref", files / "hyp")
    assert result.stdout.startswith("%WER 100.00 [ 9 / 9, 1 ins, 8 del, 0 sub ]")
    assert "Scored 5 sentences, 3 not present in hyp." in result.stdout
    assert "no hypothesis of 3; all their words count as deletions:\n  a-2\n  b-1\n  b-2\n" in result.stderr
    assert f"warning: {files / 'ref'}: 1 without words" in result.stderr


def test_compare_says_which_is_better(files):
    write(files / "better", {**REFERENCES, "b-1": HYPOTHESES["b-1"]})
    result = run("compare", files / "data", files / "hyp", files / "better", "--resample", "utterance")
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert lines[:3] == [
        f"A %WER 33.33 [ 3 / 9, 1 ins, 1 del, 1 sub ] {files / 'hyp'}",
        f"B %WER 11.11 [ 1 / 9, 1 ins, 0 del, 0 sub ] {files / 'better'}",
        "B - A: -22.22 points, -66.7 % relative",
    ]
    assert lines[3].endswith("points (paired bootstrap over 4 utterances, 10000 samples)")
    assert lines[4].startswith("probability that B is better: 0.9")
    assert lines[5] == "matched pairs (MAPSSWE): z -2.00, p 0.0455 (3 segments; few segments, take it with care)"
    same = run("compare", files / "data", files / "data", files / "data").output
    assert "B - A: +0.00 points\n" in same
    assert "matched pairs: too few segments with errors (0)" in same


@pytest.mark.parametrize(
    ("tables", "options", "kind", "message"),
    [
        ({"hyp": {"u": "a", "x": "b", "y": "c"}}, [], DataError, "hyp: 2 utterances are not in "),
        ({"ref": {"u": ""}}, [], DataError, "ref: no words to score against"),
        ({"utt2spk": {"v": "s"}}, ["--utt2spk", "utt2spk"], DataError, "utt2spk: 1 utterances of "),
        ({}, ["--resample", "speaker"], DataError, "--resample speaker needs at least 2 speakers (got 0)"),
        ({}, ["--lexicon", "ref"], ConfigError, "use it with --unit phone (got --unit word)"),
        ({"lexicon.txt": {"b": "b"}}, ["--unit", "phone", "--lexicon", "lexicon.txt"], LexiconError, "'a' is not in"),
        ({}, ["--utt2spk", "none"], DataError, "none: cannot read: No such file or directory"),
        ({}, ["--confidence", "95"], DataError, "confidence between 0 and 1 (got 10000, 95)"),
    ],
)
def test_bad_input_is_named(tmp_path, monkeypatch, tables, options, kind, message):
    monkeypatch.chdir(tmp_path)
    for name, table in {"ref": {"u": "a", "v": "a"}, "hyp": {"u": "a"}, **tables}.items():
        write(tmp_path / name, table)
    with pytest.raises(kind) as error:
        run("score", "ref", "hyp", *options)
    assert message in str(error.value)


def test_duplicated_utterances_and_other_encodings_are_named(tmp_path):
    write(tmp_path / "ref", {"u": "a"})
    (tmp_path / "hyp").write_bytes(b"u a\nu b\nv \xe9\n")
    with pytest.raises(SpeechtlError) as error:
        run("score", tmp_path / "ref", tmp_path / "hyp")
    message = str(error.value)
    assert f"{tmp_path / 'hyp'}:2: 'u' appears again" in message
    assert f"{tmp_path / 'hyp'}:3: not UTF-8 (byte 0xE9 at column 3)" in message


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full on this system")
def test_a_write_error_leaves_the_old_files(files):
    out = files / "out"
    run("score", files / "data", files / "hyp", "--out", out)
    before = {path.name: path.read_text(encoding="utf-8") for path in out.iterdir()}
    (out / "per_utt").unlink()
    (out / "per_utt").mkdir()
    with pytest.raises(DataError) as error:
        run("score", files / "data", files / "data", "--out", out)
    assert f"{out / 'per_utt'}: cannot write" in str(error.value)
    assert (out / "per_spk").read_text(encoding="utf-8") == before["per_spk"]
    assert sorted(path.name for path in out.iterdir()) == sorted(before)


def test_words_are_not_scored_as_phones_without_a_warning(tmp_path):
    write(tmp_path / "words" / "text", {"a-1": "seven nine", "a-2": "seven"})
    write(tmp_path / "phones" / "text", {"a-1": "s ɛ v ə n n a͡ɪ n", "a-2": "s ɛ v ə n"})
    write(tmp_path / "out" / "phones", {"a-1": "s ɛ v n n a͡ɪ n", "a-2": "s ɛ v ə n"})
    lexicon = write(tmp_path / "lexicon.txt", {"seven": "s ɛ v ə n", "nine": "n a͡ɪ n"})
    said = "look like words, each of which counts as one phone; give their pronunciations with --lexicon"
    assert said in run("score", tmp_path / "words", tmp_path / "out", unit="phone").stderr
    assert said in run("compare", tmp_path / "words", tmp_path / "out", tmp_path / "out", unit="phone").stderr
    for references, more in (("phones", {}), ("words", {"lexicon": lexicon})):
        result = run("score", tmp_path / references, tmp_path / "out", unit="phone", **more)
        assert "%PER 7.69" in result.stdout and said not in result.stderr
    write(tmp_path / "hyp", {"talks/one.wav": "seven nine", "talks/two.wav": "seven"})
    with pytest.raises(
        DataError, match=r"hyp: none of its 2 ids is one of .*text; recognise the data directory itself"
    ):
        run("score", tmp_path / "words", tmp_path / "hyp")
    with pytest.raises(DataError, match="out: has phones and no words; decode with --lexicon, or score with --unit ph"):
        run("score", tmp_path / "words", tmp_path / "out")
