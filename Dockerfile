# Builds Tidecast from this folder and keeps what is needed to run it.
FROM debian:12 AS build
WORKDIR /src
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/*
COPY . .
RUN ./dev setup && ./dev build tidecast tidecast_torch

FROM debian:12-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends \
      ca-certificates tzdata librdkafka1 librocksdb7.8 libtorch1.13 libopenblas0-pthread \
      libboost-system1.81.0 libboost-url1.81.0 libsimdjson14 libyaml-cpp0.7 libfmt9 libspdlog1.10 \
      libdate-tz3 libical3 libxxhash0 libzstd1 liblz4-1 zlib1g libssl3 libjemalloc2 \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --create-home --home-dir /var/lib/tidecast tidecast
COPY --from=build /src/build/release/tidecast /src/build/release/libtidecast_torch.so /opt/tidecast/
USER tidecast
WORKDIR /var/lib/tidecast
VOLUME /var/lib/tidecast
EXPOSE 8080
ENTRYPOINT ["/opt/tidecast/tidecast"]
CMD ["version"]
