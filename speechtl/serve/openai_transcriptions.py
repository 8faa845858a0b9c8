"""The interface of OpenAI's transcriptions, for programs that know it: ``POST /v1/audio/transcriptions``.

Followed: OpenAI's API reference, "Create transcription", without streaming. ``model`` may be any name, since one model
is served; ``prompt`` and ``temperature`` mean nothing to a CTC model and are ignored.
"""

import math
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from anyio import to_thread
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from speechtl.errors import SpeechtlError
from speechtl.serve.desk import desk_of
from speechtl.serve.limits import refused
from speechtl.serve.upload import receive_audio

if TYPE_CHECKING:
    from speechtl.recognition.transcript import Transcript

_FORMATS = ("json", "text", "srt", "verbose_json", "vtt")
_PIECE = 1 << 20


async def transcriptions(request: Request) -> Response:
    """Transcribe an uploaded file with the model as it is, without the words and speakers of any session."""
    try:
        return await _transcriptions(request)
    except (HTTPException, SpeechtlError) as error:
        status = error.status_code if isinstance(error, HTTPException) else 400
        message = error.detail if isinstance(error, HTTPException) else str(error)
        fault = "invalid_request_error" if status < 500 else "server_error"
        return JSONResponse({"error": {"message": message, "type": fault, "param": None, "code": None}}, status)


async def _transcriptions(request: Request) -> Response:
    from speechtl.recognition.results import WRITERS
    from speechtl.recognition.transcript import Recording

    desk = desk_of(request)
    async with request.form(max_files=1, max_fields=20) as form:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise refused(400, "file: a file is required, in multipart/form-data")
        form_name = str(form.get("response_format") or "json")
        if form_name not in _FORMATS:
            raise refused(400, f"response_format: expected one of {', '.join(_FORMATS)}")
        if str(form.get("stream") or "false").lower() == "true":
            raise refused(400, "stream: this server gives the whole transcript at its end; use its WebSocket")
        language = form.get("language")
        if language and desk.served.languages != ["lexicon"] and language not in desk.served.languages:
            known = ", ".join(desk.served.languages)
            raise refused(400, f"language: this model knows {known}; leave it out to have it recognised")
        granularities = form.getlist("timestamp_granularities[]")
        samples = await receive_audio(_pieces(file), desk.served.rate, desk.limits.seconds, desk.reading)
    recording = Recording("the upload", samples, desk.served.rate)
    transcript = await to_thread.run_sync(desk.served.listener.transcribe, recording, limiter=desk.reading)
    text = transcript.phones if transcript.phones_alone else transcript.text
    if form_name == "text":
        return PlainTextResponse(text + "\n")
    if form_name in ("srt", "vtt"):
        if transcript.phones_alone:
            raise refused(400, "subtitles are of words; this model has none")
        kinds = {"srt": "application/x-subrip", "vtt": "text/vtt"}
        return Response(WRITERS[form_name].render(transcript, "upload"), media_type=kinds[form_name])
    if form_name == "json":
        return JSONResponse({"text": text})
    return JSONResponse(verbose(transcript, text, "word" in granularities, desk.served.languages))


def verbose(transcript: "Transcript", text: str, with_words: bool, languages: list[str]) -> dict[str, Any]:
    """Return what ``verbose_json`` has; ``avg_logprob`` is the mean of the logarithms of the words' confidence."""
    segments = [
        {
            "id": number,
            "seek": 0,
            "start": round(segment.start, 3),
            "end": round(segment.end, 3),
            "text": segment.text or " ".join(phone.label for phone in segment.phones),
            "tokens": [],
            "temperature": 0.0,
            "avg_logprob": _mean_log([word.confidence for word in segment.words]),
            "compression_ratio": 1.0,
            "no_speech_prob": 0.0,
        }
        for number, segment in enumerate(transcript.segments)
    ]
    spoken = [segment.language for segment in transcript.segments if segment.language]
    result: dict[str, Any] = {
        "task": "transcribe",
        "language": max(spoken, key=spoken.count) if spoken else languages[0],
        "duration": round(transcript.seconds, 3),
        "text": text,
        "segments": segments,
    }
    if with_words:
        result["words"] = [
            {"word": word.label, "start": round(word.start, 3), "end": round(word.end, 3)} for word in transcript.words
        ]
    return result


async def models(request: Request) -> Response:
    """``GET /v1/models``: the one that is served."""
    model = {"id": desk_of(request).served.name, "object": "model", "created": 0, "owned_by": "speechtl"}
    return JSONResponse({"object": "list", "data": [model]})


def _mean_log(confidences: list[float | None]) -> float:
    known = [math.log(max(one, 1e-4)) for one in confidences if one is not None]
    return round(sum(known) / len(known), 4) if known else 0.0


async def _pieces(file: UploadFile) -> AsyncIterator[bytes]:
    while piece := await file.read(_PIECE):
        yield piece


ROUTES = [
    Route("/v1/audio/transcriptions", transcriptions, methods=["POST"]),
    Route("/v1/models", models, methods=["GET"]),
]
