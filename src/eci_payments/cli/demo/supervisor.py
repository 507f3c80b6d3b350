"""Starts processes, starts those again that die, and stops them all."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

from eci_payments.cli.demo.probe import answers, pipe_says
from eci_payments.cli.errors import WRONG_SETTING, CommandError
from eci_payments.cli.listening import address

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Callable, Iterable, Sequence

    from eci_payments.cli.demo.children import Child
    from eci_payments.cli.demo.logs import Logs

FIRST_REST_S = 0.1
"""A process that dies once is missed as shortly as possible."""
MAX_REST_S = 10.0
"""One that dies at every start is tried this often, so that it does not take the machine."""
SETTLED_S = 10.0
"""One that has lived this long died of something new."""
DRAIN_S = 9.0
"""After SIGTERM everything is gone within 10 s: the rest is for those that the others still talked to."""
LAST_S = 0.7
PROBE_EVERY_S = 0.05


class Supervisor:
    """Runs ``children`` from `start` to `stop`; ``say`` tells the person what happens to them."""

    def __init__(self, children: Sequence[Child], logs: Logs, say: Callable[[str], None]) -> None:
        self._children = children
        self._logs = logs
        self._say = say
        self._stopping = False
        self._processes: dict[str, Process] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._ready = {child.name: asyncio.Event() for child in children}
        self._gate: tuple[int, ...] = os.pipe()
        """Closing it opens it: the readers' and our end."""
        self._failed = asyncio.Event()
        self._failure: CommandError | None = None

    def start(self) -> None:
        """Start everything; those that need the database wait at the gate until `open_gate`."""
        self._tasks = [asyncio.create_task(self._keep(child), name=child.name) for child in self._children]
        self._tasks.append(asyncio.create_task(self._logs.bound()))

    def open_gate(self) -> None:
        """Let those through that have waited for the database; repeating it does nothing."""
        for descriptor in self._gate:
            os.close(descriptor)
        self._gate = ()

    async def stop(self) -> None:
        """End everything, in bounded time; repeating it does nothing."""
        self._stopping = True
        await self._stop([child for child in self._children if not child.outlives], DRAIN_S)
        await self._stop([child for child in self._children if child.outlives], LAST_S)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.open_gate()

    async def ready(self) -> None:
        """Come back when every process is ready. Raises CommandError when one ends before that."""
        everybody = asyncio.create_task(self._everybody_ready())
        failed = asyncio.create_task(self._failed.wait(), name="failed")
        waited = (everybody, failed)
        try:
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waited:
                task.cancel()
        if self._failure is not None:
            raise self._failure

    async def _everybody_ready(self) -> None:
        for event in self._ready.values():
            await event.wait()

    async def _keep(self, child: Child) -> None:
        """Run it, again and again, until we stop."""
        rest_s, loop = FIRST_REST_S, asyncio.get_running_loop()
        while not self._stopping:
            begun = loop.time()
            code = await self._run(child)
            if self._stopping:
                return
            if not self._ready[child.name].is_set():
                self._fail(child, code)
                return
            rest_s = FIRST_REST_S if loop.time() - begun > SETTLED_S else rest_s
            self._say(f"{child.name} {_how(code)}; it is started again.")
            await asyncio.sleep(rest_s)
            rest_s = min(rest_s * 2, MAX_REST_S)

    async def _run(self, child: Child) -> int:
        """One life of it; its exit code."""
        readable, writable = os.pipe()
        command, given = list(child.command), [writable]
        if child.listening is not None:
            given.append(child.listening.fileno())
        if child.probe is None:
            command += ["--ready-fd", str(writable)]
        if child.gated and self._gate:
            command += ["--gate-fd", str(self._gate[0])]
            given.append(self._gate[0])
        try:
            with self._logs.output(child.name) as output:
                process = await asyncio.create_subprocess_exec(
                    *command,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    env=child.environment,
                    pass_fds=given,
                    start_new_session=True,  # Ctrl-C is for us; we stop them in order
                )
        finally:
            os.close(writable)
        self._processes[child.name] = process
        self._logs.note_process(child.name, process.pid)
        watching = asyncio.create_task(self._watch(child, readable))
        try:
            return await process.wait()
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            os.close(readable)

    async def _watch(self, child: Child, readable: int) -> None:
        if child.probe is None or child.listening is None:
            if not await pipe_says(readable):
                return
        else:
            while not await answers(address(child.listening), child.probe):  # noqa: ASYNC110 - another process's affair
                await asyncio.sleep(PROBE_EVERY_S)
        self._ready[child.name].set()

    def _fail(self, child: Child, code: int) -> None:
        said = self._logs.last_line(child.name)
        text = said or f"{child.name} {_how(code)} while it started"
        self._failure = self._failure or CommandError(text, WRONG_SETTING if code == WRONG_SETTING else 1)
        self._failed.set()

    async def _stop(self, children: Iterable[Child], timeout_s: float) -> None:
        running = [p for c in children if (p := self._processes.get(c.name)) and p.returncode is None]
        for process in running:
            _send(process, signal.SIGTERM)
        if running:
            waits = [asyncio.create_task(process.wait()) for process in running]
            await asyncio.wait(waits, timeout=timeout_s)
        for process in running:
            if process.returncode is None:
                _send(process, signal.SIGKILL)
                await process.wait()


def _send(process: Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except ProcessLookupError:
        return


def _how(code: int) -> str:
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
