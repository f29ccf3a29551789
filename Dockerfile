# kefu as an image, with the drivers of every database:
#   docker build -t kefu .
# Every package has the version that requirements.lock says and the tests ran with.

FROM debian:bookworm-slim AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends binutils ca-certificates python3-venv \
    && rm -rf /var/lib/apt/lists/*
COPY LICENSE README.md pyproject.toml requirements.lock /src/
COPY deploy /src/deploy
COPY kefu_core /src/kefu_core
COPY kefu_server /src/kefu_server
# Binds also what builds the wheel. Without hashes: a folder, as /src, has none.
# A third of what the drivers bring is for debuggers and compilers.
ENV PIP_CONSTRAINT=/src/versions.txt PIP_DISABLE_PIP_VERSION_CHECK=1
RUN sed -n 's/^\([a-z0-9].*==.*\) \\$/\1/p' /src/requirements.lock >/src/versions.txt \
    && python3 -m venv /opt/kefu \
    && /opt/kefu/bin/pip install --no-cache-dir \
        '/src[server,uvicorn,granian,mail,pictures,s3,translate,client,otel,sqlite,mysql,mssql,postgres]' \
    && /opt/kefu/bin/pip uninstall -q -y pip setuptools \
    && find /opt/kefu -name '*.so*' -exec strip --strip-debug {} + \
    && find /opt/kefu/lib -name '*.[ch]' -delete

FROM debian:bookworm-slim
# FreeTDS is a free driver for SQL Server.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates python3 tdsodbc unixodbc \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --create-home --home-dir /var/lib/kefu \
        --shell /usr/sbin/nologin kefu \
    && chmod 700 /var/lib/kefu
COPY --from=build /opt/kefu /opt/kefu
ENV PATH=/opt/kefu/bin:/usr/bin:/bin \
    KEFU_BIND=0.0.0.0:8080 \
    KEFU_DATA_DIR=/var/lib/kefu \
    PYTHONUNBUFFERED=1
USER kefu
WORKDIR /var/lib/kefu
VOLUME /var/lib/kefu
EXPOSE 8080
# It lives. Whether its database does says /readyz; no restart of kefu would mend that.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8080/healthz', timeout=4)"]
ENTRYPOINT ["kefu"]
CMD ["serve"]
