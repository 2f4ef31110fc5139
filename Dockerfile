# The server's image: one executable (Node with the script that starts the bundle), the bundle, the engine and koffi's
# library, on a base without shell and package manager. `npm run image` builds it without a registry.
ARG BUILD_IMAGE=docker.io/library/node:26-trixie-slim
# Any base with glibc, libstdc++ and CA certificates does.
ARG RUN_IMAGE=gcr.io/distroless/cc-debian13

FROM ${BUILD_IMAGE} AS build
# containerd gives a pod's capabilities no ambient set, so the executable itself must carry the right to bind port 53.
RUN export DEBIAN_FRONTEND=noninteractive \
    && apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends binutils libatomic1 libcap2-bin \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY . .
RUN npm run build \
    && node_modules/.bin/node deploy/image/assemble.ts /image \
    && setcap cap_net_bind_service=+ep /image/wasmdns

FROM ${RUN_IMAGE}
COPY --from=build /image /
# A number, so that Kubernetes can tell that it is not root.
USER 65532:65532
WORKDIR /
EXPOSE 53 53/udp 8080 8181 9153
ENTRYPOINT ["/wasmdns"]
