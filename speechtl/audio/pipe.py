"""Shell commands in ``wav.scp``, which end in ``|`` and write an audio file to their standard output."""

import subprocess

from speechtl.errors import DataError


def is_pipe(audio: str) -> bool:
    """Whether a value of ``wav.scp`` is a shell command."""
    return audio.rstrip().endswith("|")


def run_pipe(audio: str, allow_pipes: bool) -> bytes:
    """Return what a command writes.

    Args:
        audio: the value of ``wav.scp``.
        allow_pipes: whether the user permits commands.

    Raises:
        DataError: commands are not permitted, or this one fails or writes nothing; with the last line of its own
            message.
    """
    if not allow_pipes:
        raise DataError(f"{audio}: is a shell command; add --allow-pipes if you trust this wav.scp")
    # As in Kaldi, the shell interprets the line: that is what permission was given for.
    command = audio.rstrip().removesuffix("|")
    process = subprocess.run(command, shell=True, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if process.returncode or not process.stdout:
        complaint = process.stderr.decode("utf-8", "replace").strip().splitlines()
        reason = f": {complaint[-1]}" if complaint else ""
        status = f"exit code {process.returncode}{'' if process.stdout else ', nothing written'}"
        raise DataError(f"{audio}: the command failed ({status}){reason}; try it in a shell")
    return process.stdout
