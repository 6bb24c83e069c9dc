"""How gunicorn serves Atelier; it reads this file when started in this directory."""

import os
import sys
from pathlib import Path

# Started by its script, gunicorn does not look here for modules before it has read this file.
sys.path.insert(0, str(Path(__file__).resolve().parent))

from studio import logs

wsgi_app = "studio.wsgi"
bind = os.environ.get("BIND", "127.0.0.1:8000")
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
worker_class = "gthread"
threads = 4
timeout = 60
graceful_timeout = 5
# The workers' heartbeat is a file: on a slow disk a healthy worker would be taken for dead.
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
# Its default is a socket in the person's home, which two installations would share.
control_socket_disable = True
# Its own lines look like ours. The line of each request is ours (studio/middleware.py): it has no query.
logconfig_dict = logs.configuration(os.environ.get("LOG_FORMAT", "line"), os.environ.get("LOG_LEVEL", "INFO"))
