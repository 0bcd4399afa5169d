"""The memo of ropeline.jit: once per arguments and device, over threads and forks."""

import concurrent.futures
import threading

import pytest

from jit_processes import child
from ropeline import jit
from ropeline.jit import _torch


def test_64_threads_make_one_result():
    calls, together = [], threading.Barrier(64)

    @jit.cache_once
    def make(width, *, dtype="float"):
        calls.append(width)
        threading.Event().wait(0.05)
        return object()

    def ask(width):
        together.wait()
        return make(width, dtype="half")

    with concurrent.futures.ThreadPoolExecutor(64) as threads:
        results = list(threads.map(ask, [4] * 32 + [8] * 32))
    assert sorted(calls) == [4, 8]
    assert len(set(results[:32])) == len(set(results[32:])) == 1 and results[0] is not results[-1]
    assert make(4, dtype="half") is results[0] and make(4) is not results[0]


def test_arguments_of_other_types_are_others():
    seen = []
    make = jit.cache_once(lambda *args, **kwargs: seen.append((args, kwargs)) or len(seen))
    assert [make(1), make(1.0), make(True), make(1), make(x=1), make(x=1.0), make()] == [1, 2, 3, 1, 4, 5, 6]
    inner = [((1,),), ((True,),), (("a", (1.0,)),), (frozenset([0.0]),), (frozenset([-0.0]),), (0.0,), (-0.0,)]
    assert [make(*args) for args in inner] == [7, 8, 9, 10, 11, 12, 13]
    assert [make(*args) for args in inner] == [7, 8, 9, 10, 11, 12, 13]


ALONE = """
import json, signal
from ropeline import jit
from ropeline.jit import once
signal.alarm(60)  # a wait for ever ends here
make = jit.cache_once(lambda width: width)
with once._lock:  # a finalizer or signal handler comes while the thread has the lock
    print(json.dumps(make(4)))
"""


def test_a_finalizer_inside_may_ask_for_a_result(tmp_path):
    assert child(["-c", ALONE], tmp_path) == 4


def test_each_device_has_its_own(monkeypatch):
    device, make = [0], jit.cache_once(lambda: object())
    monkeypatch.setattr(_torch, "current_device", lambda: device[0])
    first = make()
    device[0] = 1
    second = make()
    device[0] = 0
    assert first is not second and make() is first


def test_the_first_result_is_kept_when_making_it_opens_the_gpu(monkeypatch):
    opened = [False]
    monkeypatch.setattr("torch.cuda.is_initialized", lambda: opened[0])
    monkeypatch.setattr("torch.cuda.current_device", lambda: 0)

    @jit.cache_once
    def make():
        opened[0] = True
        return object()

    assert make() is make()


def test_a_failure_reaches_all_and_is_not_kept():
    calls, together = [], threading.Barrier(8)

    @jit.cache_once
    def make():
        calls.append(1)
        if len(calls) == 1:
            threading.Event().wait(0.2)
            raise ValueError("the first time")
        return "right"

    def ask(_):
        together.wait()
        try:
            return make()
        except ValueError as error:
            return str(error)

    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        assert set(threads.map(ask, range(8))) == {"the first time"}
    assert make() == make() == "right" and len(calls) == 2


def test_a_result_that_needs_itself_is_an_error():
    make = jit.cache_once(lambda: make())
    with pytest.raises(RuntimeError, match="asks for its own result"):
        make()


FORK = """
import json, os, signal, threading
from ropeline import jit
inside, go = threading.Event(), threading.Event()
@jit.cache_once
def make():
    if not go.is_set():
        inside.set()
        go.wait(20)
        return "parent"
    return "child"
thread = threading.Thread(target=make)
thread.start()
inside.wait()
child = os.fork()
signal.alarm(60)  # a wait for ever ends here, in both
if not child:
    go.set()
    os._exit(0 if make() == "child" else 1)
code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
go.set()
thread.join()
print(json.dumps([code, make()]))
"""


def test_a_child_does_not_wait_for_its_parents_threads(tmp_path):
    assert child(["-W", "ignore", "-c", FORK], tmp_path) == [0, "parent"]
