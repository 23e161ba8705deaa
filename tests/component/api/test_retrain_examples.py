"""The examples of the retrain endpoint's document, and a backend in front of it, as they are."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import jwt
import pytest

from ..control_plane import free_ports, program, wait_for
from .replicas import SERVICE_TOKEN, OpenYard, Replica, Yard, ended, listed, retrain, token

pytestmark = [pytest.mark.component, pytest.mark.timeout(180)]

ROOT = Path(__file__).resolve().parents[3]
DOCUMENT = ROOT.parent / "shared" / "seeds" / "retrain-api.md"
MODELS = ["comparison", "factors", "probability"]
SERVER = "http://localhost:3001"

NODE = """\
// Using fetch
const response = await fetch('http://localhost:3001/api/retrain', {
  method: 'POST',
  headers: {
    'Authorization': `Bearer ${jwtToken}`,
    'Content-Type': 'application/json',
  },
  body: JSON.stringify({
    full_retrain: false,
    model_type: 'all',
  }),
});

const data = await response.json();
console.log(data);
"""
PYTHON = """\
import requests
import json

# Get JWT token first (from login endpoint)
jwt_token = "your-jwt-token-here"

# Prepare headers
headers = {
    "Authorization": f"Bearer {jwt_token}",
    "Content-Type": "application/json"
}

# Prepare body
body = {
    "full_retrain": False,
    "model_type": "all"
}

# Make POST request
response = requests.post(
    "http://localhost:3001/api/retrain",
    headers=headers,
    json=body
)

# Check response
if response.status_code == 200:
    data = response.json()
    print(f"✅ {data['message']}")
    print(f"Job ID: {data['data']['python_response']['job_id']}")
else:
    print(f"❌ Error {response.status_code}: {response.json()['error']}")
"""
CURL = """\
curl -X POST http://localhost:3001/api/retrain \\
  -H "Authorization: Bearer YOUR_JWT_TOKEN" \\
  -H "Content-Type: application/json" \\
  -d '{
    "full_retrain": false,
    "model_type": "all"
  }'
"""

needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")


@pytest.fixture(scope="module")
def yard(open_yard: OpenYard) -> Yard:
    yard = open_yard()
    for name in MODELS:
        yard.model(name, marked=True)
    return yard


@pytest.fixture(scope="module")
def replica(yard: Yard) -> Replica:
    return yard.start()


def run(command: list[str], **environment: str) -> str:
    ended = subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=60,
        env={"PATH": os.environ["PATH"], "PYTHONIOENCODING": "utf-8", **environment},
    )  # fmt: skip
    return ended.stdout


def completes(yard: Yard, replica: Replica, user: str) -> str:
    """The run of each Model is started and ends; the job id of the user's only request."""
    [row] = listed(replica, user=user)
    yard.finish(*MODELS)
    done = ended(replica, row["job_id"])
    assert (done["status"], done["model_type"]) == ("completed", "all")
    job_id: str = row["job_id"]
    # A Model that the replica takes for one that waits would not be asked again.
    handled = [name for name in MODELS if yard.get(name)["status"]["lastHandledRetrain"] == job_id]
    assert handled == MODELS
    return job_id


def test_they_are_the_documents() -> None:
    if DOCUMENT.exists():
        text = DOCUMENT.read_text()
        assert all(example in text for example in (NODE, PYTHON, CURL))


@needs_node
def test_node(yard: Yard, replica: Replica) -> None:
    script = f"const jwtToken = '{token('node')}';\n{NODE.replace(SERVER, replica.url)}"
    printed = run(["node", "--input-type=module", "--eval", script])
    assert "success: true" in printed
    assert "message: 'Retreinamento iniciado'" in printed
    completes(yard, replica, "node")


def test_python(yard: Yard, replica: Replica) -> None:
    script = PYTHON.replace(SERVER, replica.url).replace("your-jwt-token-here", token("python"))
    printed = run([sys.executable, "-c", script])
    job_id = completes(yard, replica, "python")
    assert printed == f"✅ Retreinamento iniciado\nJob ID: {job_id}\n"
    again = run([sys.executable, "-c", script])
    assert again == "❌ Error 429: Too Many Requests\n"


def test_curl(yard: Yard, replica: Replica) -> None:
    script = CURL.replace(SERVER, replica.url).replace("YOUR_JWT_TOKEN", token("curl"))
    printed = run(["bash", "-c", script])
    job_id = completes(yard, replica, "curl")
    assert f'"job_id":"{job_id}"' in printed


@needs_node
def test_a_backend_in_front(yard: Yard, replica: Replica, tmp_path: Path) -> None:
    (port, nobody) = free_ports(2)
    secret = "of-the-backend-alone-0123456789abcdef"
    bearer = jwt.encode({"sub": "joana", "exp": 2**33}, secret, algorithm="HS256")
    headers = {"Authorization": f"Bearer {bearer}"}
    url = f"http://127.0.0.1:{port}/api/retrain"
    command = ["node", str(ROOT / "examples" / "node" / "server.mjs")]

    def environment(service: str) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "PYTHON_SERVICE_URL": service,
            "JWT_SECRET": secret,
            "PORT": str(port),
        }

    log = tmp_path / "node.log"
    service = replica.url.replace("http://", f"http://trainyard:{SERVICE_TOKEN}@")
    with program(command, log, env=environment(service)):
        wait_for("it listens", lambda: "http://" in log.read_text())
        assert httpx.post(url, json={}).status_code == 401
        answer = httpx.post(url, json={"full_retrain": True}, headers=headers, timeout=40)
        assert answer.status_code == 200, answer.text
        data = answer.json()["data"]
        assert (data["user_id"], data["full_retrain"]) == ("joana", True)
        row = retrain(replica, data["python_response"]["job_id"])
        assert (row["requester"], row["full_retrain"]) == ("joana", True)
        again = httpx.post(url, json={"model_type": "factors"}, headers=headers, timeout=40)
        assert again.status_code == 503
        assert again.json()["error"] == "Python service error"
        assert again.json()["status"] == 429
        completes(yard, replica, "joana")
    log.write_text("")
    with program(command, log, env=environment(f"http://127.0.0.1:{nobody}")):
        wait_for("it listens", lambda: "http://" in log.read_text())
        answer = httpx.post(url, json={}, headers=headers, timeout=40)
        assert answer.status_code == 503
        assert answer.json() == {
            "success": False,
            "error": "Python service not available",
            "details": "ML training service is not accessible",
            "service_url": f"http://127.0.0.1:{nobody}",
        }
