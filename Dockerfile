# The server's image: Node, the bundle, the engine and koffi's library; on any base with glibc, libstdc++ and libatomic.
ARG BUILD_IMAGE=node:26-trixie-slim
ARG RUN_IMAGE=node:26-trixie-slim

FROM ${BUILD_IMAGE} AS build
WORKDIR /src
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY . .
RUN npm run build
RUN npm prune --omit=dev --no-audit --no-fund && cp node_modules/node-linux-*/bin/node /node \
    && rm -rf node_modules/node-linux-* node_modules/.bin
# containerd gives a pod's capabilities no ambient set, so the binary itself must carry the right to bind port 53.
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends libcap2-bin && setcap cap_net_bind_service=+ep /node

FROM ${RUN_IMAGE}
COPY --from=build /node /node
COPY --from=build /src/dist /wasmdns/dist
COPY --from=build /src/node_modules /wasmdns/node_modules
# A number, so that Kubernetes can tell that it is not root.
USER 65532:65532
WORKDIR /
EXPOSE 53 53/udp 8080 8181 9153
ENTRYPOINT ["/node", "/wasmdns/dist/wasmdns.js"]
