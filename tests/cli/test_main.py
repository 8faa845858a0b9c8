import os
import subprocess
import sys

import pytest
import typer

from speechtl.cli import main as command_line
from speechtl.errors import DataError


def run(*arguments, **more):
    command = [sys.executable, "-m", "speechtl.cli.main", *arguments]
    return subprocess.run(command, capture_output=True, text=True, **more)


def test_help_names_every_verb():
    shown = run("--help").stdout
    for verb in ("data", "features", "lexicon", "lm", "train", "decode", "score", "compare", "report"):
        assert f"\n  {verb} " in shown


def test_a_users_mistake_is_one_message_and_exit_code_1(tmp_path):
    result = run("data", "validate", str(tmp_path / "nowhere"))
    assert result.returncode == 1 and "nowhere" in result.stdout + result.stderr
    assert "Traceback" not in result.stderr
    result = run("score", str(tmp_path / "no_text"), str(tmp_path / "no_hyp"))
    assert result.returncode == 1
    assert result.stderr.startswith("error: ") and "no_text" in result.stderr and "Traceback" not in result.stderr


def ending(monkeypatch, error):
    def fail():
        raise error

    monkeypatch.setattr(command_line, "app", fail)
    with pytest.raises(BaseException) as caught:
        command_line.main()
    return caught.value


def test_errors_end_as_they_should(monkeypatch, capsys):
    assert ending(monkeypatch, DataError("text:3: wrong")).code == 1
    assert capsys.readouterr().err == "error: text:3: wrong\n"
    assert ending(monkeypatch, OSError(28, "No space left on device", "log.jsonl")).code == 1
    assert "error: [Errno 28] No space left on device: 'log.jsonl'; free some space" in capsys.readouterr().err
    assert isinstance(ending(monkeypatch, OSError(5, "Input/output error")), OSError)
    assert isinstance(ending(monkeypatch, ValueError("a bug")), ValueError)


def test_ctrl_c_is_a_word_and_says_whether_the_command_can_go_on(monkeypatch, capsys):
    def stop():
        raise KeyboardInterrupt

    for verb, said in (("models", "stopped\n"), ("train", "stopped; the same command goes on from here\n")):
        app = typer.Typer()
        app.command(verb)(stop)
        app.command("other")(stop)
        monkeypatch.setattr(command_line, "app", app)
        monkeypatch.setattr(sys, "argv", ["speechtl", verb])
        with pytest.raises(SystemExit) as end:
            command_line.main()
        assert end.value.code == 130
        assert capsys.readouterr().err == said


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_standard_output_is_one_message():
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-u", "-m", "speechtl.cli.main", "--help"]
        result = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert result.returncode == 1
    assert "No space left on device" in result.stderr
