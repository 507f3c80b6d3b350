# One image for every process: `serve` (the default), `work`, `migrate`, `verify`, `sandbox`, `standins`.
# Needs nothing but pip's ordinary configuration; a machine that has one of its own passes it as the secret
# `pip_conf`, which is mounted for the one instruction that needs it and is in no layer (tools/image.sh does).

FROM python:3.11-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_NO_INPUT=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /src
RUN python3 -m venv /opt/eci-payments && mkdir /data
COPY requirements.lock ./
RUN --mount=type=secret,id=pip_conf,target=/etc/pip.conf,required=false \
    /opt/eci-payments/bin/python -m pip install --require-hashes --only-binary=:all: -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY src src
# What only builds the wheel goes again, pip last: what runs has no installer.
RUN /opt/eci-payments/bin/python -m pip install --no-deps --no-index --no-build-isolation . \
    && /opt/eci-payments/bin/python -m pip uninstall --yes \
        editables hatchling pathspec pluggy setuptools tomlkit trove-classifiers \
    && /opt/eci-payments/bin/python -m pip check \
    && /opt/eci-payments/bin/python -m compileall -q /opt/eci-payments/lib/python3.11/site-packages/eci_payments \
    && /opt/eci-payments/bin/python -m pip uninstall --yes pip

FROM python:3.11-slim-bookworm
ARG VERSION=0.0.0+unknown
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.title="eci-payments" \
    org.opencontainers.image.description="A self-hosted payment service that never loses a rupee." \
    org.opencontainers.image.vendor="ECI Payments" \
    org.opencontainers.image.licenses="MIT" \
    org.opencontainers.image.documentation="/docs" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${REVISION}" \
    org.opencontainers.image.created="${CREATED}"
# /data and /tmp are all that is written to: a volume or a tmpfs each, so that the root can be read-only.
COPY --from=build --chown=10001:10001 /data /data
COPY --from=build /opt/eci-payments /opt/eci-payments
ENV PATH=/opt/eci-payments/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/tmp \
    DATA_DIR=/data \
    SERVICE_HOST=0.0.0.0 \
    SERVICE_PORT=8000
WORKDIR /data
VOLUME ["/data"]
# A number, not a name: Kubernetes can see that it is not root.
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python3", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:' + os.environ['SERVICE_PORT'] + '/livez', timeout=2)"]
# No shell in between: SIGTERM reaches the server, which drains.
ENTRYPOINT ["eci-payments"]
CMD ["serve"]
