"""The mains of the jobs in one process, one after the other: one start of a JVM instead of many.

Reads a line of JSON {"task", "arguments"} from stdin for each, and answers with a line of JSON
{"code", "log"}: the exit code with which the job would have ended, and its stderr.
"""

import io
import json
import logging
import os
import sys
from contextlib import redirect_stderr
from importlib import import_module


def run(task: str, arguments: list[str]) -> dict[str, object]:
    code, log = 0, io.StringIO()
    logging.getLogger().handlers.clear()  # so that this job's log goes to this job's stderr
    with redirect_stderr(log):
        try:
            import_module(f"spark_jobs.{task}").main(arguments)
        except SystemExit as end:
            code = int(end.code or 0)
    return {"code": code, "log": log.getvalue()}


if __name__ == "__main__":
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # the output of the JVM is no answer
    for line in sys.stdin:
        print(json.dumps(run(**json.loads(line))), file=answers, flush=True)
