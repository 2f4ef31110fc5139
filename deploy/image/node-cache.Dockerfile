# The same image for the addon's DaemonSet (NodeLocal DNSCache) as it stands, whose pod says no user and takes the image's:
#
#   docker build -f deploy/image/node-cache.Dockerfile --build-arg SERVER_IMAGE=IMAGE deploy/image
ARG SERVER_IMAGE=localhost/wasmdns:dev
FROM ${SERVER_IMAGE}
# Interface and rules take NET_ADMIN, which a user other than root would need in the program's file.
USER 0:0
ENTRYPOINT ["/node-cache"]
