"""Whole recordings to transcripts, and transcripts to files."""

import json
from typing import TYPE_CHECKING

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from speechtl.files import atomic_write
from speechtl.serve.desk import desk_of, session_of
from speechtl.serve.limits import refused
from speechtl.serve.session import Session, new_id
from speechtl.serve.upload import receive_audio, write_audio

if TYPE_CHECKING:
    import numpy as np

    from speechtl.recognition.transcript import Transcript

_TYPES = {"json": "application/json", "text": "text/plain", "vtt": "text/vtt", "srt": "application/x-subrip"}


async def transcribe(request: Request) -> Response:
    """``POST /api/sessions/{session}/transcripts``: audio of any container in, its transcript out."""
    from speechtl.recognition.result_json import as_json
    from speechtl.recognition.transcript import Recording

    desk, session = desk_of(request), session_of(request)
    rate = desk.served.rate
    samples = await receive_audio(request.stream(), rate, desk.limits.seconds, desk.reading)
    recording = Recording("recording", samples, rate)
    transcript = await to_thread.run_sync(session.listener.transcribe, recording, limiter=desk.reading)
    name = session.remember(transcript)
    if desk.keep is not None:
        await to_thread.run_sync(keep_audio, session, name, samples, rate, transcript)
    return JSONResponse({"transcript": name, **as_json(transcript)}, 201)


async def download(request: Request) -> Response:
    """``GET /api/sessions/{session}/transcripts/{transcript}?format=``: it in a format of `speechtl transcribe`."""
    from speechtl.recognition.results import WRITERS

    session = session_of(request)
    transcript = session.transcripts.get(request.path_params["transcript"])
    if transcript is None:
        raise refused(404, "this session has no such transcript any more")
    form = request.query_params.get("format", "json")
    if form not in WRITERS:
        raise refused(422, f"format: expected one of {', '.join(WRITERS)}")
    if form in ("srt", "vtt") and transcript.phones_alone:
        raise refused(422, "subtitles are of words; this model found phones alone")
    writer = WRITERS[form]
    text = await to_thread.run_sync(writer.render, transcript, "recording")
    name = f"recording{writer.suffix}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(text, headers=headers, media_type=_TYPES.get(form, "text/plain"))


def keep_audio(session: Session, name: str, samples: "np.ndarray", rate: int, transcript: "Transcript") -> None:
    """Put a recording and its transcript into the folder of the session, which is kept."""
    from speechtl.recognition.result_json import as_json

    stem = new_id()
    write_audio(session.folder / f"{stem}.wav", samples, rate)
    with atomic_write(session.folder / f"{stem}.json") as file:
        file.write(json.dumps(as_json(transcript), ensure_ascii=False) + "\n")


ROUTES = [
    Route("/transcripts", transcribe, methods=["POST"]),
    Route("/transcripts/{transcript}", download, methods=["GET"]),
]
