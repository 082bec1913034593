# davit itself: server and workers are one image. The Temporal worker has no build for Alpine, hence Debian.
FROM node:24.21.0-bookworm-slim AS packages
WORKDIR /opt/davit
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --no-audit --no-fund

# The workflow bundle is built here: at run time nothing is compiled and nothing native is unpacked.
FROM packages AS bundle
COPY src src
COPY workflows workflows
COPY scripts/bundle.ts scripts/
RUN node scripts/bundle.ts /opt/davit

# A static busybox for each architecture: a worker builds its engine's helper image from it. armel runs on every ARM
# board from v6 on.
FROM node:24.21.0-bookworm-slim AS busybox
WORKDIR /busybox
RUN dpkg --add-architecture armel && dpkg --add-architecture arm64 && dpkg --add-architecture amd64 \
  && apt-get update \
  && for pair in arm32:armel arm64:arm64 amd64:amd64; do \
       apt-get download "busybox-static:${pair#*:}" \
       && dpkg -x busybox-static_*.deb unpacked \
       && install -D --mode=0755 "$(find unpacked -path '*bin/busybox' -type f)" "/usr/lib/davit/busybox/${pair%:*}" \
       && rm -r busybox-static_*.deb unpacked \
       || exit 1; \
     done

FROM node:24.21.0-bookworm-slim
# git fetches sources, ssh reaches engines on other machines.
RUN apt-get update \
  && apt-get install --yes --no-install-recommends ca-certificates git openssh-client \
  && rm -rf /var/lib/apt/lists/* \
  && useradd --uid 10001 --create-home davit \
  && install --directory --owner=davit --group=davit --mode=0700 /var/lib/davit /var/cache/davit \
  && install --directory --owner=davit --group=davit --mode=0755 /certificates /certificates/temporal /certificates/clients \
  && printf '#!/bin/sh\nexec node /opt/davit/src/cli/main.ts "$@"\n' >/usr/local/bin/davit \
  && chmod 0755 /usr/local/bin/davit
WORKDIR /opt/davit
COPY --from=busybox /usr/lib/davit/busybox /usr/lib/davit/busybox
COPY --from=packages /opt/davit/node_modules node_modules
COPY package.json ./
COPY src src
COPY activities activities
COPY workflows workflows
COPY workers workers
COPY scripts/keep-running.sh scripts/healthy.sh scripts/
# For `davit upgrade --check`.
COPY CHANGELOG.md LICENSE ./
COPY docs/upgrade.json docs/
COPY --from=bundle /opt/davit/bundles bundles
LABEL org.opencontainers.image.title=davit \
  org.opencontainers.image.licenses=Apache-2.0 \
  org.opencontainers.image.version=0.1.0
ENV NODE_ENV=production DAVIT_HOME=/var/lib/davit DAVIT_CACHE=/var/cache/davit NODE_COMPILE_CACHE=/var/cache/davit/compiled \
  DAVIT_READY_FILE=/tmp/davit-ready
# For `docker exec CONTAINER davit status`.
RUN printf '#!/bin/sh\nexec node /opt/davit/src/cli/main.ts "$@"\n' > /usr/local/bin/davit && chmod 0755 /usr/local/bin/davit
USER davit
HEALTHCHECK --interval=10s --timeout=5s --start-period=90s --retries=3 CMD ["/bin/sh", "/opt/davit/scripts/healthy.sh"]
ENTRYPOINT ["node", "/opt/davit/src/cli/main.ts"]
CMD ["--help"]
