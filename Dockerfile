# The image of the web service, of the one-shot steps `secrets` and `migrate`, and of `workbench`.

FROM python:3.14-slim AS build
COPY requirements.txt .
# Wheels alone: nothing is compiled, so that neither this stage nor the image needs a compiler.
RUN python -m venv --without-pip /venv \
 && python -m pip --python /venv/bin/python install --no-cache-dir --only-binary :all: \
    --require-hashes -r requirements.txt \
 # Of the languages that Babel knows, those of app/translations: the others are 30 MB.
 && find /venv/lib/python3.*/site-packages/babel/locale-data -name '*.dat' \
    ! -name 'root.dat' ! -name 'en*.dat' ! -name 'id*.dat' -delete
WORKDIR /loguserapp
COPY wsgi.py loguserapp ./
COPY migrations migrations
COPY app app
# Byte code beforehand, since at run time the file system is read-only.
RUN python -m compileall -q . && mkdir -m 700 /instance

FROM python:3.14-slim
COPY --from=build /venv /venv
COPY --from=build /loguserapp /loguserapp
# A volume that is mounted here belongs to the same user.
COPY --from=build --chown=10001:10001 /instance /instance
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 HOST=0.0.0.0 INSTANCE_PATH=/instance
WORKDIR /loguserapp
USER 10001:10001
EXPOSE 5000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --start-interval=500ms \
  CMD ["python", "-S", "-c", "import http.client as h; c = h.HTTPConnection('127.0.0.1', 5000, timeout=4); c.request('GET', '/healthz'); raise SystemExit(c.getresponse().status != 200)"]
CMD ["python", "-m", "app.server"]
