import json
from html.parser import HTMLParser

import pytest
from command_line import run

from speechtl.errors import ModelError
from speechtl.report.page import write_report
from speechtl.scoring.error_rate import error_rate
from speechtl.scoring.score_files import summary_lines, write_scores

REFERENCES = {"anna-1": "open the <b>door</b>", "anna-2": "קפה שחור", "ben-1": "close it now please"}
HYPOTHESES = {"anna-1": "open a <b>door</b>", "anna-2": "קפה חם שחור", "ben-1": "close now please"}
UTT2SPK = {utterance: utterance.split("-")[0] for utterance in REFERENCES}
INTERVAL = "95 % confidence interval 25.00 to 40.00 (bootstrap over 2 speakers, 10000 samples)"


class Page(HTMLParser):
    """Checks that every tag is closed, and collects text, tags and attributes."""

    def __init__(self, page):
        super().__init__()
        self.open, self.text, self.tags, self.attributes = [], [], [], []
        self.feed(page)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += [name for name, _ in attributes]
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] != ["style"]:
            self.text.append(data)

    @property
    def words(self):
        return " ".join(" ".join(self.text).split())


def make_experiment(path, *, size=64, ended=True, hypotheses=None):
    path.mkdir(parents=True)
    (path / "config.toml").write_text(
        f'seed = 1\n[[data]]\nlanguage = "en"\n[model.encoder]\nkind = "tdnn"\nsize = {size}\n[training]\nepochs = 2\n'
    )
    events = [
        {"event": "step", "step": 20, "frames_per_second": 4000.0, "ctc": 9.0, "kl": 0.5, "gradient_norm": 3.0},
        {"event": "epoch", "step": 25, "epoch": 1, "train_loss": 8.0, "dev_loss": 6.0, "dev_per": 50.0},
        {"event": "pronunciations", "step": 25, "changed": 11},
        {"event": "epoch", "step": 50, "epoch": 2, "train_loss": 4.0, "dev_loss": 3.0, "dev_per": 25.0},
        {"event": "final", "step": 50, "epochs_averaged": 2, "dev_loss": 2.9, "dev_per": 24.25},
    ]
    (path / "log.jsonl").write_text("".join(json.dumps(event) + "\n" for event in (events if ended else events[:2])))
    if hypotheses:
        score = error_rate(REFERENCES, hypotheses)
        write_scores(path / "test" / "wer", score, [*summary_lines(score), INTERVAL], UTT2SPK)
    return path


def test_the_page_of_one_experiment(tmp_path):
    experiment = make_experiment(tmp_path / "tdnn", hypotheses=HYPOTHESES)
    result = run("report", experiment)
    assert result.exit_code == 0
    assert result.output.split() == [str(experiment / "report.html")]
    page = Page((experiment / "report.html").read_text(encoding="utf-8"))
    for text in (
        "tdnn tdnn 2 of 2 4.00 3.00 25.00 (epoch 2) 24.25 – 4,000",
        "test WER tdnn 33.33 25.00 to 40.00 3 / 9 1 1 1 100.00",
        "95 % confidence, bootstrap over 2 speakers, 10000 samples.",
        "11 words changed their pronunciation",
        "loss term ctc",
        "loss term kl",
        "gradient norm, before clipping",
        "Speakers, % anna 40.00 2 / 5 ben 25.00 1 / 4",
        "anna-1 1 / 3 errors open open the a <b>door</b> <b>door</b>",
        "anna-2 1 / 2 errors קפה קפה – חם שחור שחור",
        "ben-1 1 / 4 errors close close it – now now please please",
        "the → a",
        'kind = "tdnn"',
    ):
        assert text in page.words
    assert "what differs" not in page.words and "not ended" not in page.words


def test_the_page_needs_no_network_and_runs_nothing(tmp_path):
    experiment = make_experiment(tmp_path / "tdnn", hypotheses=HYPOTHESES)
    write_report([experiment], tmp_path / "page.html")
    page = Page((tmp_path / "page.html").read_text(encoding="utf-8"))
    assert not {"script", "link", "img", "iframe", "b>door<"} & set(page.tags)
    assert not {"src", "href", "onclick"} & set(page.attributes)
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "http" not in text and "url(" not in text and "@import" not in text


def test_a_run_shorter_than_the_first_logged_step_has_a_page(tmp_path):
    experiment = make_experiment(tmp_path / "tdnn")
    lines = (experiment / "log.jsonl").read_text().splitlines(keepends=True)
    (experiment / "log.jsonl").write_text("".join(line for line in lines if '"event": "step"' not in line))
    write_report([experiment], tmp_path / "page.html")
    assert "2 of 2" in Page((tmp_path / "page.html").read_text(encoding="utf-8")).words


def test_several_side_by_side(tmp_path):
    better = {**HYPOTHESES, "ben-1": REFERENCES["ben-1"], "anna-2": REFERENCES["anna-2"]}
    first = make_experiment(tmp_path / "base", hypotheses=HYPOTHESES)
    second = make_experiment(tmp_path / "adapted", size=128, ended=False, hypotheses=better)
    output = tmp_path / "deep" / "compare.html"
    assert run("report", first, second, "-o", output).output.split() == [str(output)]
    page = Page(output.read_text(encoding="utf-8"))
    for text in (
        "base · adapted",
        "adapted tdnn 1 of 2 (not ended)",
        "what differs base adapted model.encoder.size 64 128",
        "Most frequent errors of base",
        "Most frequent errors of adapted",
        "anna-1 1 / 3, 1 / 3 errors",
        "adapted 11.11 25.00 to 40.00 -22.22",
    ):
        assert text in page.words
    assert not (first / "report.html").exists()


def test_phone_feature_errors_are_shown_beside_the_phone_errors(tmp_path):
    paths = [make_experiment(tmp_path / name) for name in ("base", "adapted")]
    for path, rate in zip(paths, ("20.83", "0.83"), strict=True):
        text = (path / "log.jsonl").read_text()
        (path / "log.jsonl").write_text(text.replace('"dev_per": 2', '"dev_pfer": 7.125, "dev_per": 2'))
        score = error_rate({"u": "p a"}, {"u": "b a"}, "phone")
        feature_line = f"%PFER {rate} [ 1.04 / 5 segments, 0.347 per utterance ]"
        write_scores(path / "test" / "per", score, [*summary_lines(score), INTERVAL, feature_line, INTERVAL], {})
    write_report(paths, tmp_path / "page.html")
    page = Page((tmp_path / "page.html").read_text(encoding="utf-8"))
    for text in (
        "24.25 7.12 4,000",
        "phone feature error rate of dev, greedy, %",
        "test PFER base 20.83 25.00 to 40.00 1.0 / 5",
        "test PFER adapted 0.83 25.00 to 40.00 -20.00 1.0 / 5",
    ):
        assert text in page.words


def test_without_output_each_has_its_own_page(tmp_path):
    paths = [make_experiment(tmp_path / name / "tdnn") for name in "ab"]
    assert run("report", *paths).exit_code == 0
    for path in paths:
        page = Page((path / "report.html").read_text(encoding="utf-8"))
        assert "Nothing scored yet" in page.words
    write_report(paths, tmp_path / "both.html")
    # Where two have the same name, the paths tell them apart.
    assert f"{paths[0]} · {paths[1]}" in Page((tmp_path / "both.html").read_text(encoding="utf-8")).words
    assert "All have the same." in Page((tmp_path / "both.html").read_text(encoding="utf-8")).words


def test_a_test_without_errors(tmp_path):
    write_report([make_experiment(tmp_path / "tdnn", hypotheses=REFERENCES)], tmp_path / "page.html")
    assert "No utterance has an error." in Page((tmp_path / "page.html").read_text(encoding="utf-8")).words


def test_not_an_experiment(tmp_path):
    with pytest.raises(ModelError) as error:
        write_report([tmp_path], tmp_path / "page.html")
    expected = f"{tmp_path}: not an experiment (no config.toml); give a directory that speechtl train made"
    assert str(error.value) == expected


def test_a_failure_keeps_the_page_there_was(tmp_path):
    experiment = make_experiment(tmp_path / "tdnn")
    write_report([experiment], experiment / "report.html")
    before = (experiment / "report.html").read_bytes()
    with open(experiment / "log.jsonl", "a") as file:
        file.write('{"event": "st')
    with pytest.raises(ModelError, match="half a line"):
        write_report([experiment], experiment / "report.html")
    assert (experiment / "report.html").read_bytes() == before
    assert sorted(path.name for path in experiment.iterdir()) == ["config.toml", "log.jsonl", "report.html"]


def test_spectrograms_of_an_alignment_are_embedded(tmp_path):
    experiment = make_experiment(tmp_path / "tdnn")
    inner = make_experiment(experiment / "adapted")
    for folder, names in ((experiment / "ali" / "plots", "dcba"), (inner / "ali" / "plots", "x")):
        folder.mkdir(parents=True)
        for name in names:
            (folder / f"{name}.png").write_bytes(name.encode())
    write_report([experiment], tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<h2>Alignment</h2>" in text and text.count("<img ") == 3
    assert [f"Spectrogram of {name}" in text for name in "abcdx"] == [True, True, True, False, False]
    assert "data:image/png;base64,YQ==" in text
    assert not {"script", "link", "iframe"} & set(Page(text).tags)
    write_report([experiment, inner], tmp_path / "page.html")
    assert "Alignment of adapted" in (tmp_path / "page.html").read_text(encoding="utf-8")
