# lasasr on a CPU, with every verb.
#   docker build -t lasasr .
#   docker run --rm --shm-size 1g -v "$PWD:/work" lasasr train my.yaml
# Voices of the synthetic corpus (GPL v3, see NOTICE): docker build --build-arg EXTRAS=synthetic -t lasasr .

FROM python:3.11-slim-bookworm AS build
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ARG EXTRAS=train
WORKDIR /source
COPY pyproject.toml constraints.txt README.md LICENSE NOTICE ./
COPY lasasr lasasr
COPY configs configs
COPY recipes recipes
# torch first, and without CUDA: PyPI's brings 4.6 GB of it. Its own requirements come with those of lasasr.
RUN python -m venv /opt/lasasr \
    && grep -vE '^(torch|torchaudio)==' constraints.txt > /tmp/constraints.txt \
    && /opt/lasasr/bin/pip install --no-cache-dir --no-deps --index-url "$TORCH_INDEX" 'torch>=2.11,<2.15' \
    && /opt/lasasr/bin/pip install --no-cache-dir --constraint /tmp/constraints.txt ".[$EXTRAS]" \
    && /opt/lasasr/bin/lasasr --version

FROM python:3.11-slim-bookworm
COPY --from=build /opt/lasasr /opt/lasasr
ENV PATH=/opt/lasasr/bin:$PATH
RUN useradd --create-home --uid 1000 lasasr && mkdir /work && chown lasasr /work
USER 1000
WORKDIR /work
ENTRYPOINT ["lasasr"]
CMD ["--help"]
