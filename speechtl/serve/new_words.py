"""Words that a session adds: written, pronounced by guess, by hand or by voice, used at once."""

from collections.abc import Sequence

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from speechtl.lang.articulation import sequence_distance
from speechtl.serve.desk import desk_of, session_of
from speechtl.serve.limits import read_json, refused, required
from speechtl.serve.served_model import Word
from speechtl.serve.session import Session
from speechtl.serve.upload import receive_audio

# A recording of a word, seconds.
_LONGEST = 20.0
_LONGEST_WORD = 100


async def list_words(request: Request) -> Response:
    """``GET /api/sessions/{session}/words``: those that this session has added."""
    return JSONResponse({"words": [word.as_json() for word in session_of(request).words]})


async def pronounce(request: Request) -> Response:
    """``POST /api/sessions/{session}/pronunciations``: what a word would be pronounced like; it is not added.

    ``{"word", "language", "phones"}``: ``phones`` to have them read as phones of the model. ``{"heard": [[...], ...]}``
    are phones of recordings of it (see `hear`): the answer ranks them with the guesses.
    """
    session = session_of(request)
    fields = await read_json(request, word=str, language=str, phones=str, heard=list)
    word = _checked(required(fields, "word"))
    heard = _phone_lists(fields["heard"] or [])
    listener = session.served.listener
    said: list[tuple[str, ...]] = []
    notes: list[str] = []
    if not heard or fields["phones"]:
        said, notes = await to_thread.run_sync(listener.pronounce, word, fields["phones"], fields["language"])
    if heard:
        said = await to_thread.run_sync(rank_pronunciations, heard, said)
    return JSONResponse({"word": word, "pronunciations": [" ".join(one) for one in said], "notes": notes})


async def hear(request: Request) -> Response:
    """``POST /api/sessions/{session}/heard``: a recording of one word in, its phones out."""
    from speechtl.recognition.transcript import Recording

    desk, session = desk_of(request), session_of(request)
    rate = desk.served.rate
    samples = await receive_audio(request.stream(), rate, _LONGEST, desk.reading)
    found = await to_thread.run_sync(
        session.listener.phones, Recording("the recording", samples, rate), limiter=desk.reading
    )
    silence = desk.served.silence
    return JSONResponse({"phones": [phone.label for phone in found if phone.label != silence]})


async def add_word(request: Request) -> Response:
    """``POST /api/sessions/{session}/words``: ``{"word", "phones", "language"}``, phones or a guess."""
    session = session_of(request)
    fields = await read_json(request, word=str, phones=str, language=str)
    word = _checked(required(fields, "word"))
    async with session.changing:
        if len(session.words) >= session.limits.words:
            raise refused(409, f"this session has {session.limits.words} words already; remove some")
        said, notes = await to_thread.run_sync(
            session.served.listener.pronounce, word, fields["phones"] or None, fields["language"]
        )
        old = next((one for one in session.words if (one.text, one.language) == (word, fields["language"])), None)
        new = Word(word, fields["language"], said, notes)
        if old is not None:
            new.pronunciations = [*old.pronunciations, *(one for one in said if one not in old.pronunciations)]
        await session.use([*(one for one in session.words if one is not old), new], session.speaker)
    return JSONResponse(new.as_json(), 201)


async def remove_word(request: Request) -> Response:
    """``DELETE /api/sessions/{session}/words/{word}``."""
    session = session_of(request)
    async with session.changing:
        left = [one for one in session.words if one.text != request.path_params["word"]]
        if len(left) == len(session.words):
            raise refused(404, "this session has not added that word")
        await session.use(left, session.speaker)
    return Response(status_code=204)


def rank_pronunciations(
    heard: Sequence[tuple[str, ...]], guessed: Sequence[tuple[str, ...]] = ()
) -> list[tuple[str, ...]]:
    """Rank what was heard in recordings of one word, best first: nearest to all of them together.

    The first is the medoid of the recordings by articulatory distance (`sequence_distance`): an error in one of them
    is far from the others. A guess from the spelling can win too, if it is nearer than what was heard.

    Args:
        heard: phones of each recording.
        guessed: pronunciations by guess.
    """
    options = list(dict.fromkeys([*heard, *guessed]))
    distances = {one: sum(sequence_distance(list(one), list(other)) for other in heard) for one in options if one}
    return sorted(distances, key=distances.__getitem__)


def words_for_adaptation(session: Session, language: str) -> list[str]:
    """Return the words of a session as `speechtl.adapt` takes them."""
    return [
        f"{word.text}={' '.join(said)}"
        for word in session.words
        if word.language in (None, language)
        for said in word.pronunciations
    ]


def _checked(word: str) -> str:
    word = word.strip()
    if not word or len(word) > _LONGEST_WORD or "=" in word or word.split() != [word]:
        raise refused(422, f"a word is one word, of {_LONGEST_WORD} characters at most, without '='")
    return word


def _phone_lists(lists: list[object]) -> list[tuple[str, ...]]:
    found = [tuple(one) for one in lists if isinstance(one, list) and all(isinstance(phone, str) for phone in one)]
    if len(found) != len(lists) or len(found) > 9 or any(len(one) > 100 for one in found):
        raise refused(422, "heard: expected up to nine lists of phones")
    return [one for one in found if one]


ROUTES = [
    Route("/words", list_words, methods=["GET"]),
    Route("/words", add_word, methods=["POST"]),
    Route("/words/{word:path}", remove_word, methods=["DELETE"]),
    Route("/pronunciations", pronounce, methods=["POST"]),
    Route("/heard", hear, methods=["POST"]),
]
