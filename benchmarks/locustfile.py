"""The same load as wrk makes, for a machine without wrk: closed loops, no pause."""

import itertools
import os
import uuid

from locust import FastHttpUser, task

KIND, PATH = os.environ.get("BENCH_POST"), os.environ["BENCH_PATH"]
TYPE, BODY = os.environ.get("BENCH_TYPE", ""), os.environ.get("BENCH_BODY", "")
TOKEN = os.environ.get("BENCH_TOKEN", "")
names = itertools.count()
prefix = uuid.uuid4().hex[:8]


class Client(FastHttpUser):
    @task
    def ask(self) -> None:
        if KIND:
            body = BODY.replace("NAME", f"{prefix}x{next(names)}")
            call = self.client.post(PATH, body, headers={"Content-Type": TYPE}, catch_response=True)
        else:
            call = self.client.get(
                PATH, headers={"Authorization": f"Bearer {TOKEN}"}, catch_response=True
            )
        with call as answer:
            answer.request_meta["name"] = str(answer.status_code)
