# facesearch with its models: runs without a network, on any x86-64 machine of the level v3
# (AVX2; Intel and AMD since about 2013-2015), and on arm64 when it is built there.
FROM golang:1.26-bookworm AS build
WORKDIR /src

# System packages and modules first: they change seldom.
COPY .ci/setup .ci/setup
COPY go.mod go.sum ./
RUN .ci/setup && go mod download

# The compiler wrapper puts x86-64-v3 in the place of go-face's -march=native.
COPY . .
RUN make setup licences

FROM debian:bookworm-slim
# dlib is linked into the binary; these are the libraries that remain.
RUN apt-get update \
 && apt-get install -y --no-install-recommends \
      ca-certificates libjpeg62-turbo libopenblas0-pthread libstdc++6 libturbojpeg0 \
 && rm -rf /var/lib/apt/lists/* \
 && groupadd --gid 10001 facesearch \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin facesearch \
 && install -d -o 10001 -g 10001 -m 0700 /data

COPY --from=build /src/bin/facesearch /usr/local/bin/facesearch
COPY --from=build /src/models/files /models
COPY --from=build /src/bin/licences /usr/share/doc/facesearch/licences
COPY LICENSE NOTICE /usr/share/doc/facesearch/

# ONNX Runtime's Linux builds report to their maker since 1.29, unless told not to.
ENV ORT_DISABLE_TELEMETRY=1

USER 10001:10001
# With all files in place this only compares checksums; it fails the build when one is wrong
# or a library is missing.
RUN facesearch models fetch --models /models

VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=15s --timeout=10s --start-period=60s --retries=3 CMD ["facesearch", "health"]
ENTRYPOINT ["facesearch"]
CMD ["serve", "--addr", "0.0.0.0:8080", "--data", "/data", "--models", "/models"]
