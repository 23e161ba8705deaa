"""The least that FastAPI can do for a request: what the status endpoint is compared with."""

import sys

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel


class _Status(BaseModel):
    job_id: str
    status: str


app = FastAPI()


@app.get("/train/status/{job_id}")
async def _status(job_id: str) -> _Status:
    return _Status(job_id=job_id, status="running")


@app.get("/healthz")
async def _healthz() -> _Status:
    return _Status(job_id="", status="ok")


if __name__ == "__main__":
    # As trainyard_api.main starts its own.
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=int(sys.argv[1]),
        log_config=None,
        access_log=False,
        server_header=False,
    )
