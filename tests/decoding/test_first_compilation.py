import logging
from types import ModuleType

from numba import njit

from speechtl.decoding.search.first_compilation import note_first_compilation


def function_of(module, number):
    made = ModuleType(module)
    exec(f"def found(x):\n    return x + {number}", made.__dict__)
    return njit(made.found)


def test_the_first_compilation_of_a_module_is_said_once_and_no_other(caplog):
    caplog.set_level(logging.INFO, logger="speechtl")
    note_first_compilation("searched")
    assert function_of("elsewhere", 1)(1) == 2
    assert not caplog.records
    compiled = function_of("searched", 2)
    assert (compiled(1), compiled(1), function_of("searched", 3)(1.5)) == (3, 3, 4.5)
    assert [record.getMessage() for record in caplog.records] == [
        "compiling the search for this processor, once; this takes about a minute"
    ]
