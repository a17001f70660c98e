"""A stand-in for the process that learns: it does what a file says."""

from __future__ import annotations

import json
import os
import shutil
import time
from multiprocessing import parent_process
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from stdpose_mm.review_app.learning import LearningAnswer, LearningJob


class FakeLearning:
    """Tell the process what to do.

    Args:
        folder: Folder for its files.
        network: The network that it is to hand over.
    """

    def __init__(self, folder: Path, network: Path) -> None:
        self.plan_file = folder / 'plan.json'
        self._go = folder / 'go'
        self._job = folder / 'job.json'
        self.plan: dict[str, Any] = {'network': str(network), 'go': str(self._go)}
        self.answer('learned; it is used', helped=True)

    def answer(self, sentence: str, **more: bool) -> None:
        """Make it end with an answer, once :meth:`go_on` was called or it was stopped."""
        self.plan['answer'] = [sentence, more]
        self.plan_file.write_text(json.dumps({**self.plan, 'job': str(self._job)}))

    def go_on(self) -> None:
        self._go.touch()

    @property
    def is_begun(self) -> bool:
        return self._job.exists()

    @property
    def job(self) -> dict[str, Any]:
        """What it was given."""
        return json.loads(self._job.read_text())


def learn(plan_file: Path, job: LearningJob, server: Connection) -> None:
    """Take the place of ``learn_in_process``, but for the first argument."""
    plan = json.loads(plan_file.read_text())
    states = [make() for make in job.states]
    given = {
        'process': os.getpid(),
        'out': str(job.out),
        'earlier': None if job.earlier is None else str(job.earlier),
        'steps': job.steps,
        'frames': [sorted({n for t in one.tracks.values() for n in t}) for one in states],
    }
    sentence, more = plan['answer']
    server.send((0.25, None))
    server.send((0.5, plan.get('right', 0.75)))
    hidden = Path(f'{plan["job"]}.part')
    hidden.write_text(json.dumps(given))
    hidden.rename(plan['job'])
    while not Path(plan['go']).exists():
        if job.stop.exists() and sentence != 'never stops':
            sentence = f'stopped: {sentence}'
            break
        if not parent_process().is_alive():
            # A test failed, and its server was killed.
            return
        time.sleep(0.01)
    if sentence == 'dies':
        os._exit(7)
    shutil.copyfile(plan['network'], job.out)
    server.send(LearningAnswer(sentence, **more))
