"""Node processes that are forks of one that has all of it loaded already.

To load a node's modules takes a second of processor time, and a lab and the tests start many. A
nursery does it once: `python -m headwater.lab.nursery FD MODULE ...` loads the modules and waits on
a socket for what to run, forks, and tells each fork's pid and exit code on a pipe of its own. It
ends when its socket closes, and its forks end as other nodes do, when their standard input does.
Linux only: elsewhere system libraries that were loaded may not survive a fork.
"""

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import IO

from headwater.errors import Unavailable

__all__ = ["Newborn", "Nursery", "nursery"]

NODE = ("headwater.cli.running", "headwater.lab.faulty")
"""These load all of a node."""
MOST_REQUEST_BYTES = 128 * 1024
_NUMBER = struct.Struct("=i")


@contextlib.contextmanager
def nursery(modules: Sequence[str] = NODE) -> Iterator["Nursery | None"]:
    """One that ends with the block, and whose forks find these modules loaded; None where there
    cannot be one."""
    if sys.platform != "linux":
        yield None
        return
    made = Nursery(modules)
    try:
        yield made
    finally:
        made.close()


class Nursery:
    """Starts processes that run a module's `main` in this process's place, much sooner."""

    def __init__(self, modules: Sequence[str]) -> None:
        self._requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, str(theirs.fileno()), *modules],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                process_group=0,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def start(
        self, module: str, arguments: Sequence[str], environment: Mapping[str, str], errors: int
    ) -> "Newborn":
        """Run `module.main()` with these arguments, this environment and nothing else of ours but
        the working directory, in a process group of its own. `errors`: a descriptor, its stderr.

        It waits until the process is there: some milliseconds, and once until all is loaded.
        Raises: Unavailable when the nursery is gone or the request is too long for it."""
        request = json.dumps([module, [*arguments], dict(environment), os.getcwd()]).encode()
        if len(request) > MOST_REQUEST_BYTES:
            raise Unavailable(
                f"no node started: its command line and environment take {len(request)} bytes, "
                f"{MOST_REQUEST_BYTES} at most: share the folder above instead of each one in it"
            )
        with contextlib.ExitStack() as theirs, contextlib.ExitStack() as ours:
            (stdin, our_stdin), (our_stdout, stdout), (our_status, status) = (
                os.pipe() for _ in range(3)
            )
            for end in (stdin, stdout, status):
                theirs.callback(os.close, end)
            for end in (our_stdin, our_stdout, our_status):
                ours.callback(os.close, end)
            with contextlib.suppress(OSError):
                socket.send_fds(self._requests, [request], [stdin, stdout, errors, status])
            theirs.close()  # so that no answer is an end, too
            pid = _number(our_status)
            if pid is None:
                raise Unavailable(
                    "no node started: the process that forks them is gone, or there are as many "
                    "processes as there may be: end some, and start the lab again"
                )
            ours.pop_all()
        return Newborn(pid, our_stdin, our_stdout, our_status)

    def close(self) -> None:
        """End it. Those that it started go on until their standard input closes."""
        self._requests.close()
        self._process.wait()


class Newborn:
    """A process that a nursery started, used as a `subprocess.Popen` is."""

    def __init__(self, pid: int, stdin: int, stdout: int, status: int) -> None:
        self.pid = pid
        self.stdin: IO[bytes] | None = os.fdopen(stdin, "wb")
        self.stdout: IO[bytes] | None = os.fdopen(stdout, "rb")
        self._status = os.fdopen(status, "rb", buffering=0)
        self._reading = threading.Lock()
        self.returncode: int | None = None

    def poll(self) -> int | None:
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, negative for a signal; that of SIGKILL if the nursery ended before it.

        Raises: subprocess.TimeoutExpired."""
        if self.returncode is None:
            waiting = select.poll()
            with self._reading:  # another thread may wait for it as well, and be sooner
                if self.returncode is not None:
                    return self.returncode
                waiting.register(self._status, select.POLLIN)
            if not waiting.poll(None if timeout is None else 1e3 * timeout):
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
            with self._reading:
                if self.returncode is None:
                    with self._status:
                        code = _number(self._status.fileno())
                    self.returncode = -signal.SIGKILL if code is None else code
        return self.returncode

    def send_signal(self, number: signal.Signals) -> None:
        """It may have ended already."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


def _number(pipe: int) -> int | None:
    read = os.read(pipe, _NUMBER.size)
    return _NUMBER.unpack(read)[0] if read else None


def main() -> None:
    requests = socket.socket(fileno=int(sys.argv[1]))
    for module in sys.argv[2:]:
        importlib.import_module(module)
    gc.freeze()  # so that collections in the forks leave shared memory shared
    if (wanted := _attend(requests)) is not None:
        sys.exit(importlib.import_module(wanted).main())


def _attend(requests: socket.socket) -> str | None:
    """Until the socket closes: None. In each fork: the module that it is to run."""
    ends: dict[int, tuple[int, int]] = {}
    """By pidfd: the pid of a fork that runs, and where its end is told."""
    waiting = select.poll()
    waiting.register(requests, select.POLLIN)
    while True:
        for ready, _ in waiting.poll():
            if ready != requests.fileno():
                waiting.unregister(ready)
                pid, status = ends.pop(ready)
                _tell(status, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
                os.close(status)
                os.close(ready)
                continue
            request, descriptors, _, _ = socket.recv_fds(requests, MOST_REQUEST_BYTES, 4)
            if not request:
                return None
            *streams, status = descriptors
            try:
                pid = os.fork()
            except OSError:  # as many processes as there may be: who asked sees the pipe's end
                for each in descriptors:
                    os.close(each)
                continue
            if pid == 0:
                requests.close()
                for each in (status, *ends, *(told for _, told in ends.values())):
                    os.close(each)
                return _become(request, streams)
            for stream in streams:
                os.close(stream)
            with contextlib.suppress(OSError):  # the fork may have done it, or ended
                os.setpgid(pid, pid)
            ends[pidfd := os.pidfd_open(pid)] = pid, status
            waiting.register(pidfd, select.POLLIN)
            _tell(status, pid)


def _become(request: bytes, streams: Sequence[int]) -> str:
    """Make this fork what was asked for, as if it had been started so."""
    module, arguments, environment, folder = json.loads(request)
    with contextlib.suppress(OSError):
        os.setpgid(0, 0)
    for place, stream in enumerate(streams):
        os.dup2(stream, place)
        os.close(stream)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv[1:] = arguments
    return str(module)


def _tell(status: int, number: int) -> None:
    with contextlib.suppress(BrokenPipeError):  # nobody wants to know any more
        os.write(status, _NUMBER.pack(number))


if __name__ == "__main__":
    main()
