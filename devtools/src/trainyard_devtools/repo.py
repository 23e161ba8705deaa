"""Where things are in this clone."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
STATE = ROOT / ".trainyard"
"""Everything that a cluster, a build or a benchmark of this clone leaves behind; git-ignored."""
LOGS = STATE / "logs"
CHART = ROOT / "charts" / "trainyard"
EXAMPLES = ROOT / "examples"
DEPLOY = ROOT / "deploy"
NAMESPACE = "trainyard"
RELEASE = "trainyard"
BUCKET = "trainyard"
API_URL = "http://127.0.0.1:8000"
API_LISTEN = "127.0.0.1:8000"
API_NODE_PORT = 30800
"""As in deploy/values-demo.yaml and deploy/kind-config.yaml."""
