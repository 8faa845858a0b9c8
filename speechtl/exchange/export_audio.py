"""Export to folders with a copy of the audio: Common Voice, LJSpeech, the Montreal Forced Aligner, Hugging Face."""

import csv
import io
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from speechtl.audio.encode import encode_audio
from speechtl.audio.header import AudioHeader
from speechtl.audio.pipe import is_pipe
from speechtl.audio.waveform import read_waveform
from speechtl.data.ctm import TimedLabel
from speechtl.data.datadir import DataDir, Utterance
from speechtl.data.textgrid import write_textgrid
from speechtl.errors import DataError, counted, list_problems
from speechtl.files import file_name
from speechtl.progress import progress_bar

# What each reads besides WAV.
_COMMON_VOICE = {".wav", ".mp3"}
_HUGGING_FACE = {".wav", ".flac", ".mp3", ".ogg", ".opus"}
_MFA = {".wav", ".flac", ".mp3", ".ogg"}
_CV_COLUMNS = (
    *("client_id", "path", "sentence_id", "sentence", "sentence_domain", "up_votes", "down_votes", "age", "gender"),
    *("accents", "variant", "locale", "segment"),
)
_CV_GENDERS = {"m": "male_masculine", "f": "female_feminine"}


def _stored(
    data: DataDir, place: Callable[[Utterance], Path], suffixes: set[str], allow_pipes: bool
) -> Iterator[tuple[Utterance, Path]]:
    """Store the audio of each utterance; yield it with its file.

    Raises:
        DataError: audio that cannot be read; all of it is listed after the last utterance.
    """
    problems = []
    with progress_bar("exporting", len(data)) as advance:
        for one in data.utterances():
            path = place(one)
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                if not one.audio:
                    raise DataError("has no audio; add its recording to wav.scp")
                suffix = Path(one.audio).suffix.lower()
                plain = one.start is None and one.speed == 1 and one.channel is None and not is_pipe(one.audio)
                if plain and suffix in suffixes:
                    AudioHeader.read(one.audio)
                    path = path.with_name(path.name + suffix)
                    shutil.copyfile(one.audio, path)
                else:
                    path = path.with_name(path.name + ".wav")
                    _write(one, path, allow_pipes)
                yield one, path
            except DataError as error:
                problems.append(f"utterance '{one.id}': {error}")
            advance()
    if problems:
        raise DataError(list_problems(f"{data.path}: {len(problems)} utterances cannot be exported", problems))


def _write(one: Utterance, path: Path, allow_pipes: bool) -> None:
    rate = AudioHeader.read(one.audio, allow_pipes=allow_pipes).sample_rate
    samples = read_waveform(
        one.audio, rate, of_several=one.channel, start=one.start, end=one.end, speed=one.speed, allow_pipes=allow_pipes
    )
    path.write_bytes(encode_audio(np.clip(np.round(samples), -32768, 32767).astype(np.int16), rate, "WAV"))


def _texts(data: DataDir, forbidden: str = "") -> dict[str, str]:
    """Return all transcripts, each in one line.

    Raises:
        DataError: there are none, or some hold what separates columns.
    """
    if not data.text:
        raise DataError(f"{data.path}: has no transcripts (text), which this format is about")
    wrong = [
        f"text of '{name}' holds '{forbidden}'" for name, text in data.text.items() if forbidden and forbidden in text
    ]
    if wrong:
        raise DataError(list_problems(f"{data.path}: '{forbidden}' separates columns; replace it", wrong))
    return {name: " ".join(text.split()) for name, text in data.text.items()}


def _renamed(data: DataDir) -> list[str]:
    changed = {name: file_name(name) for name in data.utterance_ids if file_name(name) != name}
    return [counted("the file has another name than the id", changed, "utterance")] if changed else []


def common_voice(data: DataDir, folder: Path, allow_pipes: bool) -> list[str]:
    """Write ``clips/`` and ``validated.tsv``."""
    texts, lines = _texts(data), ["\t".join(_CV_COLUMNS)]
    for one, path in _stored(data, lambda one: folder / "clips" / file_name(one.id), _COMMON_VOICE, allow_pipes):
        row = dict.fromkeys(_CV_COLUMNS, "")
        row |= {"client_id": one.speaker, "path": path.name, "sentence": texts[one.id], "locale": one.language or ""}
        row |= {"up_votes": "0", "down_votes": "0", "gender": _CV_GENDERS.get(data.spk2gender.get(one.speaker, ""), "")}
        lines.append("\t".join(row.values()))
    (folder / "validated.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
    return _renamed(data)


def lj_speech(data: DataDir, folder: Path, allow_pipes: bool) -> list[str]:
    """Write ``wavs/`` and ``metadata.csv``: id, text and text."""
    texts, lines = _texts(data, forbidden="|"), []
    for one, path in _stored(data, lambda one: folder / "wavs" / file_name(one.id), {".wav"}, allow_pipes):
        lines.append(f"{path.stem if path.suffix else path.name}|{texts[one.id]}|{texts[one.id]}\n")
    (folder / "metadata.csv").write_text("".join(lines), encoding="utf-8", newline="\n")
    speakers = data.spk2utt
    lost = [f"LJSpeech is of one speaker: which of {len(speakers)} it was is not written"] if len(speakers) > 1 else []
    return _renamed(data) + lost


def audio_folder(data: DataDir, folder: Path, allow_pipes: bool) -> list[str]:
    """Write ``audio/`` and ``metadata.csv`` of Hugging Face's AudioFolder."""
    columns = {"transcription": data.text, "language": data.utt2lang, "domain": data.utt2dom}
    columns = {name: table for name, table in columns.items() if table}
    written = io.StringIO(newline="")
    writer = csv.writer(written, lineterminator="\n")
    gender = ["gender"] if data.spk2gender else []
    writer.writerow(["file_name", "id", "speaker", *gender, *columns])
    for one, path in _stored(data, lambda one: folder / "audio" / file_name(one.id), _HUGGING_FACE, allow_pipes):
        sex = [data.spk2gender.get(one.speaker, "")] if gender else []
        values = [table.get(one.id, "") for table in columns.values()]
        writer.writerow([f"audio/{path.name}", one.id, one.speaker, *sex, *values])
    (folder / "metadata.csv").write_text(written.getvalue(), encoding="utf-8", newline="\n")
    return []


def mfa(data: DataDir, folder: Path, allow_pipes: bool) -> list[str]:
    """Write a folder for each speaker, with audio and a ``.lab`` file for each utterance."""
    texts = _texts(data)

    def place(one: Utterance) -> Path:
        return folder / file_name(one.speaker) / file_name(one.id)

    for one, path in _stored(data, place, _MFA, allow_pipes):
        path.with_suffix(".lab").write_text(texts[one.id] + "\n", encoding="utf-8", newline="\n")
    return _renamed(data)


def mfa_textgrid(data: DataDir, folder: Path, allow_pipes: bool) -> list[str]:
    """Write whole recordings, each with a TextGrid: a tier for each speaker, an interval for each utterance."""
    texts, tiers = _texts(data), dict[str, dict[str, list[TimedLabel]]]()
    whole = DataDir(data.path, wav_scp=data.wav_scp, reco2file_and_channel=data.reco2file_and_channel)
    whole.utt2spk = {data.recording_of(name): speaker for name, speaker in data.utt2spk.items()}
    if any(speed != 1 for speed in data.reco2speed.values()):
        raise DataError(f"{data.path}: recordings at another speed (reco2speed); export as mfa, without TextGrids")
    for one in data.utterances():
        label = TimedLabel(texts[one.id], one.start or 0.0, float("inf") if one.end is None else one.end)
        tiers.setdefault(one.recording, {}).setdefault(one.speaker, []).append(label)
    for one, path in _stored(whole, lambda one: folder / file_name(one.id), _MFA, allow_pipes):
        ordered = {who: sorted(labels, key=lambda label: label.start) for who, labels in tiers[one.id].items()}
        write_textgrid(path.with_suffix(".TextGrid"), ordered, AudioHeader.read(str(path)).seconds)
    empty = {name: "" for name, text in texts.items() if not text}
    notes = [counted("no words, which a TextGrid cannot say", empty, "utterance")] if empty else []
    if data.segments:
        notes.append("TextGrids have no ids of utterances; import makes new ones of speaker, recording and time")
    return _renamed(whole) + notes


FOLDERS: dict[str, Callable[[DataDir, Path, bool], list[str]]] = {
    "commonvoice": common_voice,
    "ljspeech": lj_speech,
    "audiofolder": audio_folder,
    "mfa": mfa,
    "mfa-textgrid": mfa_textgrid,
}
