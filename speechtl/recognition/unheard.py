"""Where words were looked for and none, or only some, were found: said once, not for every segment."""

from collections.abc import Sequence

from speechtl.errors import printable
from speechtl.recognition.transcript import Transcript

EXAMPLES = 3
# Seconds that a word alone lasts at most.
_ONE_WORD = 2.0


class Unheard:
    """Segments of speech whose words are not all there, over any number of transcripts.

    Args:
        sentences: whether any number of words was looked for in a segment.
    """

    def __init__(self, sentences: bool = True) -> None:
        self._sentences = sentences
        self._longest = 0.0
        self._segments = 0
        self._without: list[str] = []
        self._within_command: list[str] = []
        self._within_word: list[str] = []

    def add(self, transcript: Transcript) -> None:
        """Look at the segments of a transcript."""
        if transcript.phones_alone:
            return
        for segment in transcript.segments:
            self._segments += 1
            place = f"{printable(transcript.name)} ({segment.start:.2f} to {segment.end:.2f} s)"
            if segment.beginning:
                self._within_command.append(f"{place}: {segment.beginning} ...")
            elif not segment.words:
                self._without.append(place)
                self._longest = max(self._longest, segment.end - segment.start)
            elif not segment.complete:
                self._within_word.append(place)

    def notes(self) -> list[str]:
        """Return a line for each kind, with the number of segments and some of them."""
        kinds = {
            "no word fits": self._without,
            "only the beginning of a command fits, which is left out": self._within_command,
            "no word ends at the end, so the last words are doubtful": self._within_word,
        }
        notes = [self._note(what, places) for what, places in kinds.items() if places]
        if self._without and self._sentences and self._longest <= _ONE_WORD:
            notes[0] += "; where each is one word, --set decoding.mode=isolated takes the likeliest"
        return notes

    def _note(self, what: str, places: Sequence[str]) -> str:
        more = f" and {len(places) - EXAMPLES} more" if len(places) > EXAMPLES else ""
        return f"{what} in {len(places)} of {self._segments} segments of speech: {', '.join(places[:EXAMPLES])}{more}"
