# The one image of compose.yaml: packages by hash from requirements.lock, an ordinary user, no build tools.
FROM python:3.13-slim-bookworm AS packages
COPY megatron/embedded/requirements-uv.lock requirements.lock /build/
RUN pip install --no-cache-dir --require-hashes -r /build/requirements-uv.lock \
    && uv venv /venv \
    && uv pip install --no-cache --python /venv/bin/python --require-hashes -r /build/requirements.lock

FROM python:3.13-slim-bookworm
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 DJANGO_SETTINGS_MODULE=megatron.settings
RUN useradd --system --create-home --uid 10001 megatron && install -d -o megatron /run/signer /archive
COPY --from=packages /venv /venv
COPY . /app
WORKDIR /app
USER megatron
CMD ["granian", "--interface", "wsgi", "--no-ws", "--host", "0.0.0.0", "--port", "8000", "megatron.wsgi:application"]
