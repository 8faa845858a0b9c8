"""What one visitor has: words, speakers, transcripts; gone when the session ends."""

import asyncio
import contextlib
import dataclasses
import secrets
import shutil
import time
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anyio import to_thread

from speechtl.files import new_folder
from speechtl.serve.adaptation_job import AdaptationJob
from speechtl.serve.limits import Limits, refused
from speechtl.serve.recording_check import RecordingCheck
from speechtl.serve.sentences import Sentence
from speechtl.serve.served_model import Listener, ServedModel, Word

if TYPE_CHECKING:
    from speechtl.recognition.transcript import Transcript


def new_id() -> str:
    """Return an id that nobody can guess; it is also safe as the name of a file."""
    return secrets.token_hex(16)


@dataclasses.dataclass
class Take:
    """A recording of a sentence.

    Attributes:
        file: where it is.
        check: what was measured of it.
        heard: what the model recognised in it.
    """

    file: Path
    check: RecordingCheck
    heard: str


class Speaker:
    """Somebody whom the model is adapted to.

    Attributes:
        id: random.
        name: for people.
        language: of the model's.
        sentences: to read.
        takes: what was recorded, by number of the sentence.
        job: the last adaptation, or None.
        task: that runs it.
        listener: the adapted model, when there is one.
    """

    def __init__(self, name: str, language: str, sentences: list[Sentence]):
        self.id, self.name, self.language, self.sentences = new_id(), name, language, sentences
        self.takes: dict[int, Take] = {}
        self.job: AdaptationJob | None = None
        self.task: asyncio.Task[None] | None = None
        self.listener: Listener | None = None

    @property
    def busy(self) -> bool:
        """Whether an adaptation waits or runs."""
        return self.task is not None and not self.task.done()

    async def stop(self) -> None:
        """Stop the adaptation, if there is one."""
        if self.task is not None:
            self.task.cancel()
            # An error of its own has been noted in the job.
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await self.task

    def as_json(self) -> dict[str, Any]:
        """Return what the interface shows."""
        takes = {
            str(number): {"heard": take.heard, **dataclasses.asdict(take.check)}
            for number, take in sorted(self.takes.items())
        }
        return {
            "speaker": self.id,
            "name": self.name,
            "language": self.language,
            "sentences": [sentence.text for sentence in self.sentences],
            "takes": takes,
            "ready": self.listener is not None,
            "adaptation": None if self.job is None else self.job.as_json(),
        }


class Session:
    """What one visitor has.

    Args:
        served: the model.
        limits: of the server.
        folder: a new folder of the session's own.

    Attributes:
        id: random.
        words: that were added.
        speakers: by id.
        speaker: whose adapted model is used; None for the model as it is.
        transcripts: by id, the last ones.
        streams: that are open.
        listener: what recognises, with the words and for the speaker that are chosen now.
        changing: held while words or speaker change.
    """

    def __init__(self, served: ServedModel, limits: Limits, folder: Path):
        self.id, self.served, self.limits, self.folder = new_id(), served, limits, folder
        self.words: list[Word] = []
        self.speakers: dict[str, Speaker] = {}
        self.speaker: Speaker | None = None
        self.transcripts: OrderedDict[str, Transcript] = OrderedDict()
        self.streams = 0
        self.listener = served.listener
        self.changing = asyncio.Lock()
        self._used = time.monotonic()
        folder.mkdir(mode=0o700)

    def note_use(self) -> None:
        """Note that somebody uses the session."""
        self._used = time.monotonic()

    @property
    def idle(self) -> float:
        """Seconds since it was used; 0 while a stream is open or a model is adapted."""
        if self.streams or any(speaker.busy for speaker in self.speakers.values()):
            self.note_use()
        return time.monotonic() - self._used

    async def use(self, words: list[Word], speaker: Speaker | None) -> None:
        """Recognise with these words, for this speaker, from now on; on an error all stays as it was.

        Raises:
            LexiconError: the words cannot be added.
        """
        base = self.served.listener if speaker is None or speaker.listener is None else speaker.listener
        listener = await to_thread.run_sync(base.with_words, words)
        self.words, self.speaker, self.listener = words, speaker, listener

    def of(self, speaker: str) -> Speaker:
        """Return a speaker.

        Raises:
            HTTPException: 404: there is none.
        """
        if speaker not in self.speakers:
            raise refused(404, "this session has no such speaker")
        return self.speakers[speaker]

    def remember(self, transcript: "Transcript", name: str | None = None) -> str:
        """Keep a transcript for download; return its id."""
        name = name or new_id()
        self.transcripts[name] = transcript
        while len(self.transcripts) > self.limits.transcripts:
            self.transcripts.popitem(last=False)
        return name

    async def end(self, keep: Path | None) -> None:
        """Stop what runs, and delete all files; or move them into a folder."""
        for speaker in self.speakers.values():
            await speaker.stop()
        await to_thread.run_sync(self._put_away, keep)

    def _put_away(self, keep: Path | None) -> None:
        if keep is not None and any(self.folder.iterdir()):
            kept = keep / f"{time.strftime('%Y%m%d-%H%M%S')}-{self.folder.name}"
            with new_folder(kept) as folder:
                shutil.copytree(self.folder, folder, dirs_exist_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def as_json(self) -> dict[str, Any]:
        """Return what the interface shows."""
        return {
            "session": self.id,
            "words": [word.as_json() for word in self.words],
            "speakers": [speaker.as_json() for speaker in self.speakers.values()],
            "speaker": None if self.speaker is None else self.speaker.id,
        }


class Sessions:
    """All sessions of a server.

    Args:
        served: the model.
        limits: of the server.
        root: a folder of the server's own.
        keep: where audio is moved when a session ends; None deletes it.

    Attributes:
        streams: that are open, of all sessions.
    """

    def __init__(self, served: ServedModel, limits: Limits, root: Path, keep: Path | None):
        self.served, self.limits, self.root, self.keep = served, limits, root, keep
        self._sessions: dict[str, Session] = {}
        self.streams = 0

    def begin(self) -> Session:
        """Return a new session.

        Raises:
            HTTPException: 503: there are too many.
        """
        if len(self._sessions) >= self.limits.sessions:
            raise refused(503, "too many people use this server at the moment; try again later")
        # Its folder has another name than the session, whose name lets people in.
        session = Session(self.served, self.limits, self.root / new_id())
        self._sessions[session.id] = session
        return session

    def find(self, name: str) -> Session:
        """Return a session that is in use.

        Raises:
            HTTPException: 404: there is none, or it has ended.
        """
        session = self._sessions.get(name)
        if session is None:
            raise refused(404, "this session has ended; begin a new one")
        session.note_use()
        return session

    async def end(self, session: Session) -> None:
        """End a session; nothing of it stays unless audio is kept."""
        if self._sessions.pop(session.id, None) is not None:
            await session.end(self.keep)

    async def end_idle(self) -> None:
        """End the sessions that nobody has used for a while."""
        for session in list(self._sessions.values()):
            if session.idle > self.limits.idle_minutes * 60:
                await self.end(session)

    async def end_all(self) -> None:
        """End all sessions."""
        for session in list(self._sessions.values()):
            await self.end(session)
