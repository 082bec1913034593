# davit itself: server and workers are one image. The Temporal worker has no build for Alpine, hence Debian.
FROM node:24.21.0-bookworm-slim AS packages
WORKDIR /opt/davit
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --no-audit --no-fund

FROM node:24.21.0-bookworm-slim
# git fetches sources, ssh reaches engines on other machines.
RUN apt-get update \
  && apt-get install --yes --no-install-recommends ca-certificates git openssh-client \
  && rm -rf /var/lib/apt/lists/* \
  && useradd --uid 10001 --create-home davit \
  && install --directory --owner=davit --group=davit --mode=0700 /var/lib/davit /var/cache/davit
WORKDIR /opt/davit
COPY --from=packages /opt/davit/node_modules node_modules
COPY package.json ./
COPY src src
COPY activities activities
COPY workflows workflows
COPY workers workers
LABEL org.opencontainers.image.title=davit \
  org.opencontainers.image.licenses=Apache-2.0 \
  org.opencontainers.image.version=0.1.0
ENV NODE_ENV=production DAVIT_HOME=/var/lib/davit DAVIT_CACHE=/var/cache/davit
USER davit
VOLUME /var/lib/davit
ENTRYPOINT ["node", "/opt/davit/src/cli/main.ts"]
CMD ["--help"]
