# csmail in a container: one static program, without a shell. See "In a container"
# in README.md.

# Another registry's image: docker build --build-arg GO_IMAGE=registry.example/golang:1.26
ARG GO_IMAGE=golang:1.26

FROM ${GO_IMAGE} AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY cmd cmd
COPY pkg pkg
COPY scenarios scenarios
RUN CGO_ENABLED=0 go build -trimpath -o /out/usr/bin/csmail ./cmd/csmail
RUN mkdir -p /out/etc/csmail /out/run/csmail /out/var/lib/csmail /out/etc/ssl/certs && \
    cp /etc/ssl/certs/ca-certificates.crt /out/etc/ssl/certs/ && \
    cp "$(go env GOROOT)/lib/time/zoneinfo.zip" /out/etc/zoneinfo.zip && \
    chown -R 65534:4 /out/run/csmail /out/var/lib/csmail

FROM scratch
COPY --from=build /out /
# The zones of logs, which a host has in /usr/share/zoneinfo.
ENV ZONEINFO=/etc/zoneinfo.zip
# Nobody, and the group that may read the logs of Debian and Ubuntu (adm).
USER 65534:4
VOLUME /var/lib/csmail
ENTRYPOINT ["/usr/bin/csmail"]
CMD ["run"]
HEALTHCHECK --start-period=5m CMD ["/usr/bin/csmail", "status"]
