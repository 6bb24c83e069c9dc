"""Whether the web process of this container answers: for Docker's HEALTHCHECK. Fails by raising."""

import os
import urllib.request

# Django refuses hosts that it was not told of; ".example.com" and "*" are patterns.
host = os.environ.get("ALLOWED_HOSTS", "localhost").split(",")[0].strip().lstrip(".").replace("*", "localhost")
port = os.environ.get("BIND", "127.0.0.1:8000").rpartition(":")[2]
urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{port}/healthz", headers={"Host": host}), timeout=3)
