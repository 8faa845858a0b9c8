"""Speakers of a session: sentences to read, their recordings, and the adaptation to them."""

import asyncio
import dataclasses
import shutil
from pathlib import Path
from typing import Any

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from speechtl.audio.waveform import FULL_SCALE
from speechtl.files import atomic_write
from speechtl.serve.adaptation_job import AdaptationJob
from speechtl.serve.desk import desk_of, session_of
from speechtl.serve.limits import read_json, refused, required
from speechtl.serve.new_words import words_for_adaptation
from speechtl.serve.recording_check import check_recording
from speechtl.serve.sentences import choose_sentences, sentences_of, sentences_of_words
from speechtl.serve.session import Session, Speaker, Take
from speechtl.serve.upload import receive_audio, write_audio

SENTENCES = 10
_LONGEST_NAME = 60
# Seconds of one sentence.
_LONGEST_TAKE = 60.0
# Fewer cannot be held out in turn and still be learnt from.
_FEWEST_TAKES = 3


async def begin_speaker(request: Request) -> Response:
    """``POST /api/sessions/{session}/speakers``: ``{"name", "language", "text"}``; the answer has sentences to read.

    They are taken from ``text``, where it has some whose words are all known; else they are made of words of the
    lexicon.
    """
    desk, session = desk_of(request), session_of(request)
    fields = await read_json(request, name=str, language=str, text=str)
    if desk.served.why_not_adaptable:
        raise refused(409, desk.served.why_not_adaptable)
    name = required(fields, "name").strip()[:_LONGEST_NAME]
    language = fields["language"] or desk.served.languages[0]
    if language not in desk.served.languages:
        raise refused(422, f"language: expected one of {', '.join(desk.served.languages)}")
    if len(session.speakers) >= session.limits.speakers:
        raise refused(409, f"this session has {session.limits.speakers} speakers already; remove one")
    speaker, coverage = await to_thread.run_sync(_with_sentences, session, name, language, fields["text"] or "")
    session.speakers[speaker.id] = speaker
    _takes_of(session, speaker).mkdir(mode=0o700, parents=True)
    return JSONResponse({**speaker.as_json(), "coverage": coverage}, 201)


def _with_sentences(session: Session, name: str, language: str, text: str) -> tuple[Speaker, dict[str, Any]]:
    pronunciations = session.served.pronunciations(language)
    for word in session.words:
        if word.language in (None, language):
            pronunciations.setdefault(word.text, word.pronunciations)
    found = sentences_of(text, pronunciations)
    chosen = choose_sentences(found.sentences, SENTENCES)
    if len(chosen) < SENTENCES:
        chosen += sentences_of_words(pronunciations, SENTENCES - len(chosen))
    phones = session.served.phones(language)
    covered = {phone for sentence in chosen for phone in sentence.phones}
    coverage = {
        "phones": len(phones),
        "covered": len(covered.intersection(phones)),
        "lacking": [phone for phone in phones if phone not in covered],
        "of_text": min(len(found.sentences), SENTENCES),
        "unknown": [word for word, _ in found.unknown.most_common(20)],
    }
    return Speaker(name, language, chosen), coverage


async def list_speakers(request: Request) -> Response:
    """``GET /api/sessions/{session}/speakers``: all of them, with what was recorded and adapted."""
    session = session_of(request)
    return JSONResponse({"speakers": [speaker.as_json() for speaker in session.speakers.values()]})


async def show_speaker(request: Request) -> Response:
    """``GET /api/sessions/{session}/speakers/{speaker}``: one of them; asked for again and again, its progress."""
    return JSONResponse(session_of(request).of(request.path_params["speaker"]).as_json())


async def remove_speaker(request: Request) -> Response:
    """``DELETE /api/sessions/{session}/speakers/{speaker}``: with all recordings."""
    session = session_of(request)
    speaker = session.of(request.path_params["speaker"])
    await speaker.stop()
    async with session.changing:
        session.speakers.pop(speaker.id, None)
        if session.speaker is speaker:
            await session.use(session.words, None)
    await to_thread.run_sync(lambda: shutil.rmtree(session.folder / speaker.id, ignore_errors=True))
    return Response(status_code=204)


async def put_take(request: Request) -> Response:
    """``PUT /api/sessions/{session}/speakers/{speaker}/takes/{number}``: a recording in, its check out."""
    from speechtl.recognition.transcript import Recording

    desk, session = desk_of(request), session_of(request)
    speaker = session.of(request.path_params["speaker"])
    number: int = request.path_params["number"]
    if number >= len(speaker.sentences):
        raise refused(404, "there is no sentence of this number")
    if speaker.busy:
        raise refused(409, "the model is being adapted to these recordings; stop that first")
    rate = desk.served.rate
    samples = await receive_audio(request.stream(), rate, _LONGEST_TAKE, desk.reading)
    check = await to_thread.run_sync(check_recording, samples * FULL_SCALE, rate)
    transcript = await to_thread.run_sync(
        session.listener.transcribe, Recording("the recording", samples, rate), limiter=desk.reading
    )
    # Numbers come from the list of sentences, names of folders from this server.
    file = _takes_of(session, speaker) / f"{number:02}.wav"
    await to_thread.run_sync(write_audio, file, samples, rate)
    speaker.takes[number] = Take(file, check, transcript.text)
    return JSONResponse({"heard": transcript.text, **dataclasses.asdict(check)}, 201)


async def remove_take(request: Request) -> Response:
    """``DELETE /api/sessions/{session}/speakers/{speaker}/takes/{number}``."""
    speaker = session_of(request).of(request.path_params["speaker"])
    take = speaker.takes.pop(request.path_params["number"], None)
    if take is None:
        raise refused(404, "there is no recording of this number")
    take.file.unlink(missing_ok=True)
    return Response(status_code=204)


async def begin_adaptation(request: Request) -> Response:
    """``POST /api/sessions/{session}/speakers/{speaker}/adaptation``: `show_speaker` says how far it is."""
    desk, session = desk_of(request), session_of(request)
    speaker = session.of(request.path_params["speaker"])
    if speaker.busy:
        raise refused(409, "the model is being adapted to this speaker already")
    if len(speaker.takes) < _FEWEST_TAKES:
        raise refused(409, f"{_FEWEST_TAKES} recordings are needed at least, since some are held out in turn")
    if desk.served.source is None:
        raise refused(409, desk.served.why_not_adaptable)
    source = await to_thread.run_sync(desk.served.source)
    out = session.folder / speaker.id / "adapted"
    await to_thread.run_sync(_write_transcripts, out, speaker)

    async def use(result: dict[str, Any]) -> None:
        speaker.listener = await to_thread.run_sync(
            lambda: desk.served.adapted(out, stored_alone=result["stored_alone"])
        )
        async with session.changing:
            await session.use(session.words, speaker)

    job = AdaptationJob(
        {
            "source": str(source),
            "recordings": str(_takes_of(session, speaker)),
            "out": str(out),
            "options": {
                **desk.served.adaptation,
                "language": speaker.language,
                "add_words": [
                    *desk.served.adaptation.get("add_words", ()),
                    *words_for_adaptation(session, speaker.language),
                ],
            },
        },
        desk.adapting,
        use,
    )
    speaker.job, speaker.task = job, asyncio.create_task(job.run())
    return JSONResponse(job.as_json(), 202)


def _takes_of(session: Session, speaker: Speaker) -> Path:
    return session.folder / speaker.id / "takes"


def _write_transcripts(out: Path, speaker: Speaker) -> None:
    """Write what was read beside what was recorded; an earlier result gives way."""
    shutil.rmtree(out, ignore_errors=True)
    for number, take in speaker.takes.items():
        with atomic_write(take.file.with_suffix(".txt")) as file:
            file.write(" ".join(speaker.sentences[number].words) + "\n")


async def stop_adaptation(request: Request) -> Response:
    """``DELETE /api/sessions/{session}/speakers/{speaker}/adaptation``: stop it."""
    await session_of(request).of(request.path_params["speaker"]).stop()
    return Response(status_code=204)


async def choose_speaker(request: Request) -> Response:
    """``PUT /api/sessions/{session}/speaker``: ``{"speaker"}``, whose model is used; null for that of all."""
    session = session_of(request)
    fields = await read_json(request, speaker=str)
    speaker = None if fields["speaker"] is None else session.of(fields["speaker"])
    if speaker is not None and speaker.listener is None:
        raise refused(409, "the model has not been adapted to this speaker")
    async with session.changing:
        await session.use(session.words, speaker)
    return JSONResponse({"speaker": fields["speaker"]})


ROUTES = [
    Route("/speaker", choose_speaker, methods=["PUT"]),
    Route("/speakers", list_speakers, methods=["GET"]),
    Route("/speakers", begin_speaker, methods=["POST"]),
    Route("/speakers/{speaker}", show_speaker, methods=["GET"]),
    Route("/speakers/{speaker}", remove_speaker, methods=["DELETE"]),
    Route("/speakers/{speaker}/takes/{number:int}", put_take, methods=["PUT"]),
    Route("/speakers/{speaker}/takes/{number:int}", remove_take, methods=["DELETE"]),
    Route("/speakers/{speaker}/adaptation", begin_adaptation, methods=["POST"]),
    Route("/speakers/{speaker}/adaptation", stop_adaptation, methods=["DELETE"]),
]
