"""What a pickle would do, checked before it is run: a pickle is a program, and may ask for more than its size tells.

A few bytes can claim a string or a memo of gigabytes, or nest tuples so that the hash of a dictionary's key takes for
ever. Such programs are refused; `speechtl.pretrained.torch_file` says which functions may be called.
"""

import pickletools

# Marks what is text on the stack and in the memo; anything else is None.
_TEXT = {"BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "UNICODE"}
_KEYS_AT_ODD_PLACES = {"DICT", "SETITEMS"}
_REFUSED = {"BYTEARRAY8", "NEXT_BUFFER", "READONLY_BUFFER", "EXT1", "EXT2", "EXT4", "FROZENSET", "ADDITEMS"}


def check_pickle(content: bytes) -> None:
    """Go through the instructions of a pickle without carrying them out.

    Raises:
        ValueError: an instruction is unknown, cut off, claims more than there is, or has too little on its stack; a key
            of a dictionary is not text; or sets and buffers, which tensors do not need.
    """
    stack: list[bool] = []
    marks: list[int] = []
    memo: dict[int, bool] = {}
    for operation, given, _ in pickletools.genops(content):
        name, argument = operation.name, given if isinstance(given, int) else 0
        if name in _REFUSED:
            raise ValueError(f"{name} is nothing that tensors need")
        if name == "MARK":
            marks.append(len(stack))
        elif name == "STOP":
            return
        elif name == "MEMOIZE":
            memo[len(memo)] = _top(stack)
        elif "PUT" in name:
            # The memo is a table as long as its highest number.
            if not 0 <= argument <= len(content):
                raise ValueError(f"a memo of {argument} entries in {len(content)} bytes")
            memo[argument] = _top(stack)
        elif "GET" in name:
            stack.append(memo.get(argument, False))
        elif name == "DUP":
            stack.append(_top(stack))
        elif name == "POP_MARK" or pickletools.stackslice in operation.stack_before:
            stack = _after_slice(name, operation, stack, marks)
        elif name == "POP" and marks and marks[-1] == len(stack):
            marks.pop()
        else:
            _apply(name, operation, stack)
    raise ValueError("it does not end")


def _top(stack: list[bool]) -> bool:
    if not stack:
        raise ValueError("its stack is empty")
    return stack[-1]


def _after_slice(name: str, operation: pickletools.OpcodeInfo, stack: list[bool], marks: list[int]) -> list[bool]:
    """Return the stack after an instruction that takes everything above the last mark."""
    if not marks:
        raise ValueError("its stack has no mark")
    place = marks.pop()
    items, rest = stack[place:], stack[:place]
    if name in _KEYS_AT_ODD_PLACES and not all(items[::2]):
        raise ValueError("a key that is not text")
    below = sum(one not in (pickletools.markobject, pickletools.stackslice) for one in operation.stack_before)
    # OBJ and INST name their class above or below the mark; what they leave is one object in any case.
    below = 0 if name == "OBJ" else below
    if below > len(rest):
        raise ValueError("its stack is empty")
    return rest[: len(rest) - below] + [False] * len(operation.stack_after)


def _apply(name: str, operation: pickletools.OpcodeInfo, stack: list[bool]) -> None:
    taken = len(operation.stack_before)
    if taken > len(stack):
        raise ValueError("its stack is empty")
    if name == "SETITEM" and not stack[-2]:
        raise ValueError("a key that is not text")
    del stack[len(stack) - taken :]
    stack.extend([name in _TEXT] * len(operation.stack_after))
