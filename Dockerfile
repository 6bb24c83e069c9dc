# One image for the web server, the worker and every command. Debian 12 and Python 3.11, which the tests run on.
ARG PYTHON=3.11-slim-bookworm

FROM python:${PYTHON} AS build
WORKDIR /opt/atelier
# The libraries first: they change less often than the program.
COPY deploy/install deploy/install
COPY requirements.lock pyproject.toml ./
RUN deploy/install libraries
COPY . .
RUN deploy/install files

FROM python:${PYTHON}
RUN useradd --system --uid 10001 --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin atelier \
    && install -d -m 0700 -o atelier -g atelier /var/backups/atelier
# Root's, and only read: the program cannot change itself.
COPY --from=build /opt/atelier /opt/atelier
WORKDIR /opt/atelier
ENV PATH=/opt/atelier/.venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 BIND=0.0.0.0:8000
USER atelier
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s CMD ["python", "deploy/probe.py"]
CMD ["gunicorn", "--graceful-timeout", "30"]
