"""What the base models are measured on: languages, keywords, tables, scripts without data."""

import itertools
import runpy
import subprocess
from pathlib import Path

import numpy as np
import pytest

from speechtl.config import read_toml
from speechtl.experiment.config import load_config
from speechtl.lang.lexicon import Lexicon
from speechtl.lang.phone_attributes import attribute_matrix

RECIPE = Path(__file__).resolve().parents[2] / "recipes" / "base"
LOCAL = RECIPE / "local"
SEEN = {"en", "zh", "de", "ru", "ar", "fa", "tw"}
SCRIPTS = ["unseen_languages.sh", "digits.sh", "languages.sh", "keywords.sh", "speakers.sh"]


def load(script, monkeypatch):
    monkeypatch.syspath_prepend(str(LOCAL))
    return runpy.run_path(str(LOCAL / script))


def rows_of(name):
    lines = (LOCAL / name).read_text(encoding="utf-8").splitlines()
    return [line.split("\t") for line in lines if not line.startswith("#")]


def test_no_language_of_the_tests_is_of_training_or_has_chosen_a_setting():
    parts = {}
    for table in ("unseen_languages.tsv", "number_languages.tsv"):
        rows = rows_of(table)
        assert {row[2] for row in rows} == {"dev", "test"}
        assert len({row[0] for row in rows}) == len(rows)
        for row in rows:
            parts.setdefault(row[2], set()).add(row[0])
    assert not SEEN & (parts["dev"] | parts["test"])
    assert not parts["dev"] & parts["test"]


def test_the_numbers_are_ten_words_each_in_ipa():
    wanted = {row[0] for row in rows_of("number_languages.tsv") if row[3] == "here"}
    words = {}
    for language, word, phones in rows_of("numbers.tsv"):
        words.setdefault(language, set()).add(word)
        # Refuses what is no IPA.
        attribute_matrix(phones.split(), "panphon")
    assert words.keys() == wanted
    assert {language: len(found) for language, found in words.items()} == dict.fromkeys(wanted, 10)


def test_lexicons_that_the_digits_are_decoded_with_have_them():
    for language, _, _, way in rows_of("number_languages.tsv"):
        if way == "lexicons":
            assert len(Lexicon.load(RECIPE.parents[1] / "lexicons" / language / "lexicon.txt")) >= 10


@pytest.mark.parametrize("system", ["scratch", "encoder", "after"])
def test_a_system_with_the_tables_of_a_base_model_is_a_config(system, tmp_path):
    if system == "scratch":
        path = RECIPE / "conf/scratch.toml"
    else:
        base = tmp_path / "config.toml"
        base.write_text(
            'seed = 7\n[[data]]\nlanguage = "en"\ntrain = "x"\n[features]\nkind = "whisper"\n'
            '[normalisation]\nkind = "none"\n'
            '[training]\nepochs = 4\n[model]\nhead_dropout = 0.3\n[model.encoder]\nkind = "whisper"\nblocks = 2\n'
            '[model.encoder.subsampling]\nfactor = 2\n[model.top]\nkind = "tdnn"\nsize = 48\n[decoding]\nbeam = 3\n'
        )
        awk = "/^\\[/ { wanted = /^\\[(features|normalisation|model)[].]/ } wanted"
        assert awk in (RECIPE / "languages.sh").read_text(encoding="utf-8")
        tables = subprocess.run(["awk", awk, base], capture_output=True, text=True, check=True).stdout
        path = tmp_path / f"{system}.toml"
        path.write_text(tables + "\n" + (RECIPE / f"conf/{system}.toml").read_text(encoding="utf-8"))
    config = load_config(path)
    assert [data.language for data in config.data] == ["nan"]
    if system == "scratch":
        assert config.features.kind == "fbank"
        return
    features = read_toml(RECIPE / "conf/features.toml")["features"]
    assert {key: getattr(config.features, key) for key in features} == features
    assert (config.model.encoder.blocks, config.model.top.size, config.model.head_dropout) == (2, 48, 0.3)
    assert config.augmentation.after == "norm"
    # The attributes of the base model go on; new blocks and a head have nothing to go on from.
    assert [step.method for step in config.transfer] == ["fine_tuning", "layer_transfer"][system == "encoder" :]
    assert all("auxiliary/*" not in step.fresh for step in config.transfer if step.method == "fine_tuning")


def test_shorter_draws_of_minutes_are_within_the_longer(tmp_path, run_python):
    durations = {f"u{number:03}": 2 + number % 7 for number in range(300)}
    (tmp_path / "utt2dur").write_text("".join(f"{key} {value}\n" for key, value in durations.items()))
    command = [LOCAL / "draw_minutes.py", tmp_path, "--minutes", "10", "1"]
    assert run_python(*command, "--out", tmp_path / "one").returncode == 0
    draws = {minutes: (tmp_path / "one" / f"{minutes}min.txt").read_text().split() for minutes in (1, 10)}
    assert set(draws[1]) < set(draws[10])
    for minutes, names in draws.items():
        assert 60 * minutes <= sum(durations[name] for name in names) < 60 * minutes + 9
    assert run_python(*command, "--out", tmp_path / "two", "--seed", "2").returncode == 0
    assert (tmp_path / "two/10min.txt").read_text() != (tmp_path / "one/10min.txt").read_text()
    failed = run_python(*command, "60", "--out", tmp_path / "three")
    assert failed.returncode == 1 and failed.stderr.startswith("error: 60 minutes are more than there are (24.")


def write_wer(folder, per, pfer, phones=200):
    folder.mkdir(parents=True)
    (folder / "wer").write_text(
        f"%PER {per:.2f} [ {per * phones // 100} / {phones}, 1 ins, 2 del, 37 sub ]\n%SER 90.00 [ 9 / 10 ]\n"
        f"%PFER {pfer:.2f} [ {pfer * phones / 50:.2f} / {2 * phones} segments, 0.2 per utterance ]\n"
    )


def test_languages_count_alike_in_the_mean(tmp_path, run_python):
    for language, per, pfer, phones in (("es", 20, 10, 100), ("cs", 40, 14, 200), ("el", 60, 30, 700)):
        write_wer(tmp_path / "test" / language, per, pfer, phones)
    result = run_python(LOCAL / "language_table.py", LOCAL / "unseen_languages.tsv", tmp_path / "test")
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert [line.split(" | ")[0] for line in lines[2:5]] == ["| Czech", "| Greek", "| Spanish"]
    assert lines[5] == "| mean of 3 | 1000 | **40.0** (20.0 to 60.0) | **18.0** (10.0 to 30.0) |"
    # (20 + 80 + 420) / 1000 and (20 + 56 + 420) / 2000.
    assert lines[6] == "| all phones alike | 1000 | 52.0 | 24.8 |"


def test_the_value_with_the_fewest_feature_errors_is_taken(tmp_path, run_python):
    for value, pfer in (("-1", 30), ("0", 20), ("2", 20), ("10", 25)):
        write_wer(tmp_path / value / "bg", 50, pfer)
        write_wer(tmp_path / value / "hu", 50, pfer + 2)
    result = run_python(LOCAL / "language_table.py", LOCAL / "unseen_languages.tsv", tmp_path, "--best")
    assert result.stdout.splitlines()[0] == "-1: PER 50.00 %, PFER 31.00 %"
    assert result.stdout.splitlines()[-1] == "0"


def test_numbers_have_the_interval_of_wilson_and_their_chance(tmp_path, monkeypatch, run_python):
    low, high = load("number_table.py", monkeypatch)["wilson"](81, 263)
    # Newcombe 1998, table I.
    assert (round(low / 100, 4), round(high / 100, 4)) == (0.2553, 0.3662)
    for language, found in (("es", ["a", "b", "b", "x"]), ("sv", ["a", "b", "c"])):
        data, results = tmp_path / "data", tmp_path / "results" / language
        (data / language).mkdir(parents=True)
        results.mkdir(parents=True)
        (data / f"{language}.txt").write_text("a a\nb b\nc k\nd d\nd t\n")
        (data / language / "text").write_text("".join(f"{language}{n} {word}\n" for n, word in enumerate("abcd")))
        (data / language / "utt2spk").write_text("".join(f"{language}{n} {language}\n" for n in range(4)))
        (results / "text").write_text("".join(f"{language}{n} {word}\n" for n, word in enumerate(found)))
    result = run_python(LOCAL / "number_table.py", LOCAL / "number_languages.tsv", data, tmp_path / "results")
    assert result.returncode == 0, result.stderr
    assert "| Spanish | 1 | 4 | 2 of 4 | 50 |" in result.stdout
    # The fourth of Swedish is missing.
    assert "| Swedish | 1 | 4 | 3 of 4 | 75 |" in result.stdout
    assert "| all 2 languages | | | 5 of 8 | **62.5** | 50.0 to 75.0 |" in result.stdout
    assert result.stdout.rstrip().endswith("Chance: 25.0 %.")


def test_keywords_are_long_and_half_of_them_unheard(tmp_path, run_python):
    words = [first + second for first, second in itertools.product("ABCDEF", repeat=2)]
    (tmp_path / "lexicon.txt").write_text(
        "".join(f"{word} {' '.join('aeiou')}\n" for word in words) + "SHORT a\nAA a e\n"
    )
    (tmp_path / "text").write_text("".join(f"u{n} {word} SHORT {word}\n" for n, word in enumerate(words)))
    (tmp_path / "heard").write_text("u " + " ".join(words[:18]) + "\n")
    command = [LOCAL / "draw_keywords.py", tmp_path / "text", "--lexicon", tmp_path / "lexicon.txt"]
    command += ["--training", tmp_path / "heard", "--out", tmp_path / "keywords.txt"]
    assert run_python(*command, "--number", "8").returncode == 0
    drawn = {line.split()[0] for line in (tmp_path / "keywords.txt").read_text().splitlines()}
    unheard = set((tmp_path / "keywords.unheard.txt").read_text().split())
    # AA has a pronunciation of two phones.
    assert len(drawn) == 16 and not drawn & {"SHORT", "AA"}
    assert len(unheard) == 8 and unheard == drawn - set(words[:18])
    failed = run_python(*command, "--number", "18")
    assert failed.returncode == 1 and failed.stderr.startswith("error: 17 candidates are too few for 18 keywords")


def make_test(folder):
    """Write a data directory of half an hour with two keywords, and what was found in it."""
    folder.mkdir()
    (folder / "text").write_text("u1 YES A NO\nu2 YES YES\nu3 A\n")
    (folder / "utt2dur").write_text("".join(f"u{n} 600\n" for n in (1, 2, 3)))
    (folder / "utt2spk").write_text("u1 s1\nu2 s2\nu3 s2\n")
    (folder / "keywords.txt").write_text("YES j ɛ s\nNO n o\n")
    (folder / "keywords.unheard.txt").write_text("NO\n")
    (folder / "run").mkdir()
    found = ["u1 1 0 1 YES 0.9", "u1 1 1 1 <oov:a> 0.99", "u2 1 0 1 YES 0.5", "u3 1 0 1 YES 0.7", "u1 1 5 1 YES 0.2"]
    (folder / "run/ctm").write_text("".join(f"{line}\n" for line in found))


def test_a_detection_curve_counts_misses_and_false_alarms(tmp_path, monkeypatch):
    make_test(tmp_path / "test")
    module = load("detection_curve.py", monkeypatch)
    test = module["read_test"](tmp_path / "test", {"YES", "NO"})
    assert (test.occurrences, test.keywords, test.hours) == (4, 2, 0.5)
    ctm = tmp_path / "test/run/ctm"
    found = module["read_detections"]([ctm], {"YES", "NO"}, test.spoken)
    # The second YES of u1 is one too many. Two keywords in half an hour: one alarm is a rate of 1.
    expected = [(0, 100), (0, 75), (1, 75), (1, 50), (2, 50)]
    points = module["curve"](found, test)
    np.testing.assert_allclose([point[:2] for point in points], expected)
    assert module["at"](points, 1.5) == points[3]


def test_what_stricter_settings_find_is_surer(tmp_path, monkeypatch):
    make_test(tmp_path / "test")
    module = load("detection_curve.py", monkeypatch)
    test = module["read_test"](tmp_path / "test", {"YES", "NO"})
    strict = tmp_path / "strict"
    strict.write_text("u2 1 0 1 YES 0.1\n")
    loose = tmp_path / "test/run/ctm"
    found = module["read_detections"]([strict, loose], {"YES", "NO"}, test.spoken)
    assert found[0] == ((0, 0.1), "u2", True)
    assert [detection.right for detection in found] == [True, True, False, False]
    # Twice in one utterance: the second is as sure as the setting that first finds both.
    loose.write_text("u2 1 0 1 YES 0.8\nu2 1 3 1 YES 0.7\n")
    found = module["read_detections"]([strict, loose], {"YES", "NO"}, test.spoken)
    assert [detection.sureness for detection in found] == [(0, 0.1), (-1, 0.7)]


def test_a_table_of_keywords_has_heard_and_unheard_ones(tmp_path, run_python):
    folder = tmp_path / "test"
    make_test(folder)
    (folder / "better").mkdir()
    (folder / "better/ctm").write_text("u1 1 0 1 YES 0.9\nu1 1 3 1 NO 0.8\nu2 1 0 1 YES 0.5\n")
    command = [LOCAL / "detection_curve.py", folder, "--keywords", folder / "keywords.txt"]
    run = run_python(*command, f"base={folder / 'better'}", "--points", tmp_path / "curve.tsv")
    assert run.returncode == 0, run.stderr
    assert "| base, all | 2 | 4 | 25.0 (" in run.stdout
    assert "| base, unheard | 1 | 1 | 0.0 (" in run.stdout
    (folder / "run/ctm").write_text("u1 1 0 1\n")
    failed = run_python(*command, f"base={folder / 'better'},{folder / 'run'}")
    assert failed.returncode == 1
    assert "line 1: expected 'utterance channel start duration word confidence'" in failed.stderr


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_without_its_model_says_so(script, copy_recipe, run_bash):
    recipe = copy_recipe("base")
    (recipe.parents[1] / "pyproject.toml").write_bytes((RECIPE.parents[1] / "pyproject.toml").read_bytes())
    result = run_bash(recipe / script, "--nj", "1")
    assert result.returncode == 0, result.stderr
    assert "left out: " in result.stderr and "run.sh, stage" in result.stderr
    assert not list(recipe.glob("exp/*"))


def test_missing_corpora_of_the_evaluations_are_left_out_with_a_message(copy_recipe, tmp_path, run_bash):
    recipe = copy_recipe("base")
    (recipe.parents[1] / "pyproject.toml").write_bytes((RECIPE.parents[1] / "pyproject.toml").read_bytes())
    result = run_bash(recipe / "run.sh", "--corpora", tmp_path / "nosuch", "--stop-stage", "0")
    assert result.returncode == 1
    for name in ("an4", "taiwanese", "fillets", "gcompris"):
        assert f"left out: {name} (" in result.stderr
    assert result.stderr.rstrip().endswith("error: none of the corpora is there; give them with --corpora DIR")
