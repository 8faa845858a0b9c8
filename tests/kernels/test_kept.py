"""Machine code of kernels: it computes what the Python says, is kept, and is never trusted where it could be wrong."""

import importlib.util
import logging
import os
import shutil
import subprocess
import sys
import textwrap
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechtl.kernels import kept
from speechtl.kernels.kept import KeptKernel
from speechtl.kernels.packed import Packed

SOURCE = """
from typing import NamedTuple

import numpy as np

from speechtl.kernels.kept import KeptKernel
from speechtl.kernels.kernel import kernel, step
from speechtl.kernels.packed import Packed


class Inner(NamedTuple):
    scale: float
    rows: np.ndarray


class Outer(NamedTuple):
    first: int
    negative: bool
    inner: Inner
    column: np.ndarray


@step
def _signed(value, negative):
    return -value if negative else value


@kernel
def _sum(outer, row):
    total = 0.0
    for place in range(len(outer.inner.rows[row])):
        total += outer.inner.rows[row, place]
    return total


@kernel
def fill(outer, shift, out):
    for row in range(len(out)):
        total = _sum(outer, row) * outer.inner.scale + shift
        out[row] = _signed(total + outer.column[row], outer.negative)
    return outer.first


@kernel
def nothing(out):
    out[0] = 1


@kernel
def something(out):
    out[0] = 2
    return 5


@kernel
def makes_arrays(out):
    made = np.zeros(len(out))
    out[:] = made


@kernel
def divides(above, below):
    return above // below
"""
SAID = "compiling what the test needs"


@pytest.fixture
def module(tmp_path, monkeypatch):
    monkeypatch.setenv("SPEECHTL_CACHE", str(tmp_path / "cache"))
    (tmp_path / "loops").mkdir()
    return load(tmp_path / "loops")


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    module = load(tmp_path_factory.mktemp("loops"))
    return module, KeptKernel(module.fill)


def load(folder, source=SOURCE):
    path = folder / "loops_of_a_test.py"
    path.write_text(source)
    spec = importlib.util.spec_from_file_location("loops_of_a_test", path)
    module = sys.modules["loops_of_a_test"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def arguments(module, shift=0.5):
    table = np.arange(12, dtype=np.int32).reshape(4, 3)
    outer = module.Outer(7, True, module.Inner(0.25, np.arange(8.0).reshape(4, 2)), table[:, 1])
    return Packed(outer), Packed(shift), np.zeros(4)


def expected(shift=0.5):
    return [-(total * 0.25 + shift + number) for total, number in zip([1, 5, 9, 13], [1, 4, 7, 10], strict=True)]


def ones(module, said=""):
    """Run the kernel that is compiled fastest; return what it writes."""
    out = np.zeros(1, np.int16)
    assert KeptKernel(module.nothing, said)(Packed(out)) == 0
    return out.tolist()


def kept_files(folder):
    return sorted(folder.rglob("*.kernel"))


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_machine_code_computes_what_the_python_says(compiled, data):
    module, function = compiled
    rows, columns = data.draw(st.integers(0, 5)), data.draw(st.integers(0, 4))
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    table = rng.integers(-9, 9, (rows, 3)).astype(np.int32)
    scale, shift = data.draw(st.floats(-10, 10)), data.draw(st.floats(-10, 10))
    first, negative = data.draw(st.integers(-(1 << 62), 1 << 62)), data.draw(st.booleans())
    inner = module.Inner(scale, rng.normal(size=(rows, columns)))
    outer, out = module.Outer(first, negative, inner, table[:, data.draw(st.integers(0, 2))]), np.zeros(rows)
    assert function(Packed(outer), Packed(shift), Packed(out)) == first
    wanted = np.zeros(rows)
    for row in range(rows):
        total = sum(inner.rows[row].tolist()) * scale + shift + outer.column[row]
        wanted[row] = -total if negative else total
    np.testing.assert_allclose(out, wanted, rtol=1e-12, atol=1e-12)


def test_nothing_is_returned_as_zero(module):
    assert ones(module) == [1]


def test_what_was_kept_runs_without_numba(module, tmp_path):
    code = textwrap.dedent("""
        import sys
        sys.path[:0] = sys.argv[1:]
        import numpy as np
        import loops_of_a_test as module
        from test_kept import arguments
        packed, shift, out = arguments(module)
        module.KeptKernel(module.fill, "compiled")(packed, shift, module.Packed(out))
        print(out.tolist(), "numba" in sys.modules)
    """)
    command = [sys.executable, "-c", code, str(tmp_path / "loops"), os.path.dirname(__file__)]
    first, second = (
        subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() for _ in range(2)
    )
    assert first == f"{expected()} True"
    assert second == f"{expected()} False"


def test_compilation_is_said_once_and_only_if_there_is_any(module, caplog):
    caplog.set_level(logging.INFO, logger="speechtl")
    for _ in range(2):
        assert ones(module, SAID) == [1]
    assert [record.getMessage() for record in caplog.records] == [SAID]


def test_processes_that_begin_at_once_compile_once(module, tmp_path):
    code = textwrap.dedent("""
        import sys, time
        sys.path[:0] = sys.argv[1:]
        import loops_of_a_test as module
        from test_kept import arguments
        from speechtl.kernels.kept import KeptKernel
        compile_ = KeptKernel._compile
        def said(*given):
            print("compiled", flush=True)
            return compile_(*given)
        KeptKernel._compile = said
        packed, shift, out = arguments(module)
        KeptKernel(module.fill)(packed, shift, module.Packed(out))
        print(out.tolist())
    """)
    command = [sys.executable, "-c", code, str(tmp_path / "loops"), os.path.dirname(__file__)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    lines = [line for process in running for line in process.communicate()[0].splitlines()]
    assert sorted(lines) == [str(expected())] * 3 + ["compiled"]
    assert not list((tmp_path / "loops").rglob("*.lock"))


@pytest.mark.parametrize("damage", [b"", b"short", None])
def test_damaged_code_is_compiled_again(module, tmp_path, damage, monkeypatch):
    ones(module)
    (file,) = kept_files(tmp_path)
    content = file.read_bytes()
    # One bit, or nearly all of it.
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]) if damage is None else damage)
    for _ in range(2):
        assert ones(module) == [1]
        # Now it is whole, and read.
        monkeypatch.delattr(KeptKernel, "_compile", raising=False)


def test_a_change_of_any_file_beside_it_is_compiled(module, tmp_path):
    packed, shift, out = arguments(module)
    KeptKernel(module.fill)(packed, shift, Packed(out))
    # A process reads its sources once.
    kept._sources.cache_clear()
    changed = load(tmp_path / "loops", SOURCE.replace("return total\n", "return total + 1000\n"))
    packed, shift, out = arguments(changed)
    KeptKernel(changed.fill)(packed, shift, Packed(out))
    assert out.tolist() == [number - 250 for number in expected()]
    assert len(kept_files(tmp_path)) == 2


def test_kernels_that_other_processes_compiled_are_not_mixed_up(module, tmp_path):
    code = textwrap.dedent("""
        import sys
        sys.path[:0] = sys.argv[2:]
        import numpy as np
        import loops_of_a_test as module
        out = module.Packed(np.zeros(1, np.int16))
        for name in sys.argv[1].split(","):
            print(module.KeptKernel(getattr(module, name))(out), out.value)
            out.value[:] = 0
    """)
    places = str(tmp_path / "loops"), os.path.dirname(__file__)
    # Each is the first that its process compiles; then one process loads both.
    for names in ("nothing", "something", "nothing,something,nothing"):
        command = [sys.executable, "-c", code, names, *places]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["0 [1]", "5 [2]", "0 [1]"]


def test_fields_that_change_places_are_other_code(compiled):
    class There(NamedTuple):
        up: np.ndarray
        down: np.ndarray

    class Here(NamedTuple):
        down: np.ndarray
        up: np.ndarray

    Here.__name__ = "There"
    arrays = np.zeros(1), np.zeros(1)
    there, here = (kept._described(Packed(cls(*arrays)).kind) for cls in (There, Here))
    assert there == "There(up: <f8 (1, False), down: <f8 (1, False))"
    assert here == "There(down: <f8 (1, False), up: <f8 (1, False))"


def test_of_what_older_sources_were_compiled_to_little_is_kept(module, tmp_path):
    ones(module)
    (file,) = kept_files(tmp_path)
    others = [file.with_name(f"{file.name.rpartition('-')[0]}-{number}.kernel") for number in range(30)]
    for age, path in enumerate([*others, another := file.with_name("loops_of_a_test.something-1.kernel")]):
        path.touch()
        os.utime(path, (1e9 - age, 1e9 - age))
    file.unlink()
    kept._sources.cache_clear()
    assert ones(module) == [1]
    assert set(kept_files(tmp_path)) == {file, another, *others[:11]}


def test_where_the_source_cannot_be_written_beside_it_goes_to_the_cache(module, tmp_path):
    shutil.rmtree(tmp_path / "loops" / "__pycache__", ignore_errors=True)
    (tmp_path / "loops" / "__pycache__").write_text("a file where the folder should be")
    assert ones(module) == [1]
    assert [path.parent for path in kept_files(tmp_path)] == [tmp_path / "cache" / "kernels"]


def test_kernels_that_need_numba_at_run_time_are_refused(module):
    with pytest.raises(Exception, match=r"makes_arrays|nrt|NRT"):
        KeptKernel(module.makes_arrays)(Packed(np.zeros(3)))


def test_an_exception_in_a_kernel_is_one(module):
    function = KeptKernel(module.divides)
    assert function(Packed(7), Packed(2)) == 3
    with pytest.raises(RuntimeError, match="divides failed"):
        function(Packed(7), Packed(0))


@pytest.mark.parametrize(
    "value",
    [np.zeros((4, 4))[:, 1:], np.zeros(3, ">f8"), "text", None, [1, 2], (1, 2)],
    ids=lambda value: str(type(value)),
)
def test_what_a_kernel_cannot_read_is_refused(value):
    with pytest.raises(TypeError, match="kernel"):
        Packed(value)
