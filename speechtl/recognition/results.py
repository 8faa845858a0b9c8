"""Write transcripts: text, JSON, CTM, SRT, WebVTT, TextGrid; to standard output, into one file or into a folder."""

import contextlib
import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

from speechtl.data.ctm import TimedLabel, format_ctm
from speechtl.data.subtitles import format_srt, format_vtt, subtitles
from speechtl.data.textgrid import format_textgrid
from speechtl.errors import ConfigError, list_problems, printable
from speechtl.files import atomic_write, field_name
from speechtl.recognition.result_json import as_json
from speechtl.recognition.transcript import Transcript


@dataclasses.dataclass(frozen=True)
class Writer:
    """An output format.

    Attributes:
        suffix: of its files.
        render: text of a transcript, given the short name of its recording.
        one_recording: whether one file holds one recording.
        named: text of a transcript where there are several recordings; ``render`` if the format has names of its own.
    """

    suffix: str
    render: Callable[[Transcript, str], str]
    one_recording: bool = False
    named: Callable[[Transcript, str], str] | None = None


@contextlib.contextmanager
def results(
    form: str, out: str | None, names: Mapping[str, str], stream: IO[str]
) -> Iterator[Callable[[Transcript], None]]:
    """Yield a function that writes transcripts.

    Args:
        form: the format, one of `WRITERS`. Text is one line for each recording, with its name and a tab in front if
            there are several.
        out: None for ``stream``; a folder (one that exists, or ends in ``/``; any name for several recordings in a
            format that holds one in a file) for a file each; else one file for all.
        names: the recordings and their short names.
        stream: standard output.

    Raises:
        ConfigError: the results of several recordings would be one file that cannot hold them.
        DataError: a file cannot be written.
    """
    writer, several = WRITERS[form], len(names) > 1
    alone = writer.one_recording
    render_all = writer.named or writer.render if several else writer.render
    if out is None:
        if several and alone:
            raise ConfigError(f"--format {form}: a file for each recording is needed; give a folder with --out DIR/")
        yield lambda transcript: print(render_all(transcript, names[transcript.name]), end="", file=stream, flush=True)
    elif out.endswith("/") or Path(out).is_dir() or (several and alone):
        paths = {name: Path(out) / (short + writer.suffix) for name, short in names.items()}
        twice = [f"{path}: {name}" for name, path in paths.items() if list(paths.values()).count(path) > 1]
        if twice:
            raise ConfigError(list_problems("two recordings would have one file; give them in separate runs:", twice))

        def write_one(transcript: Transcript) -> None:
            with atomic_write(paths[transcript.name]) as file:
                file.write(writer.render(transcript, names[transcript.name]))

        yield write_one
    else:
        with atomic_write(out) as file:

            def write(transcript: Transcript) -> None:
                file.write(render_all(transcript, names[transcript.name]))

            yield write


def _text(transcript: Transcript, name: str) -> str:
    return f"{transcript.phones if transcript.phones_alone else transcript.text}\n"


def _named_text(transcript: Transcript, name: str) -> str:
    return f"{printable(transcript.name)}\t{_text(transcript, name)}"


def _json(transcript: Transcript, name: str) -> str:
    return json.dumps(as_json(transcript), ensure_ascii=False) + "\n"


def _ctm(transcript: Transcript, name: str) -> str:
    # Its fields are separated by spaces.
    labels: Sequence[TimedLabel] = transcript.spoken_phones if transcript.phones_alone else transcript.words
    joined = [TimedLabel("_".join(one.label.split()), one.start, one.end, one.confidence) for one in labels]
    return format_ctm(name, {field_name(printable(name)): joined})


def _srt(transcript: Transcript, name: str) -> str:
    return format_srt(subtitles(transcript.words))


def _vtt(transcript: Transcript, name: str) -> str:
    return format_vtt(subtitles(transcript.words))


def _textgrid(transcript: Transcript, name: str) -> str:
    tiers: dict[str, Sequence[TimedLabel]] = {} if transcript.phones_alone else {"words": transcript.words}
    tiers["phones"] = transcript.spoken_phones
    return format_textgrid(name, tiers, transcript.seconds)


WRITERS: dict[str, Writer] = {
    "text": Writer(".txt", _text, named=_named_text),
    "json": Writer(".json", _json),
    "ctm": Writer(".ctm", _ctm),
    "srt": Writer(".srt", _srt, one_recording=True),
    "vtt": Writer(".vtt", _vtt, one_recording=True),
    "textgrid": Writer(".TextGrid", _textgrid, one_recording=True),
}
