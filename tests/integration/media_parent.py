"""A process that runs a job that hangs: killed by the test, it must take its worker with it."""

import asyncio
import sys
from pathlib import Path

import media_jobs

from headwater.media.worker import in_process

asyncio.run(in_process(media_jobs.hang, Path(sys.argv[1])))
