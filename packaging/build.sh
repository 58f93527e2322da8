#!/bin/sh
# Builds static binaries, deb and rpm packages for amd64 and arm64, and their
# checksums, into bin/packages. The same commit gives the same bytes: paths are
# trimmed, and all times are that of the commit. The environment may say less or
# elsewhere: ARCHES="amd64" KINDS="deb" OUT=/tmp/packages VERSION=1.2.3.
set -eu

cd "$(dirname "$0")/.."
fail() {
	echo "packages: $1" >&2
	echo "hint: $2" >&2
	exit 1
}

GO=${GO:-go}
command -v "$GO" >/dev/null 2>&1 || fail "there is no Go here" "install Go 1.26 or later: https://go.dev/dl/"
VERSION=${VERSION:-$(sed -n 's/^const Release = "\(.*\)"$/\1/p' pkg/cli/*.go)}
[ -n "$VERSION" ] || fail "the version was not found in pkg/cli" "VERSION=1.2.3 make packages"
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
export VERSION SOURCE_DATE_EPOCH
umask 022

out=${OUT:-bin/packages}
stage=bin/stage # nfpm.yaml names it
rm -rf "$out" "$stage"
mkdir -p "$out" bin

echo "building nfpm, the packer"
GOFLAGS=-mod=readonly GOWORK=off "$GO" -C packaging/nfpm build -o "$PWD/bin/nfpm" github.com/goreleaser/nfpm/v2/cmd/nfpm

# What does not hang on the processor is made once, by a csmail of this machine.
common=$out/common
mkdir -p "$common/man" "$common/completion" "$common/doc"
CGO_ENABLED=0 "$GO" build -trimpath -buildvcs=false -o "$out/csmail-host" ./cmd/csmail
"$out/csmail-host" completion bash >"$common/completion/csmail.bash"
"$out/csmail-host" completion zsh >"$common/completion/_csmail"
"$out/csmail-host" completion fish >"$common/completion/csmail.fish"
for page in docs/man/*.1; do
	gzip -9 -n -c "$page" >"$common/man/$(basename "$page").gz"
done
cp docs/*.md "$common/doc/"
# Nothing may hang on the day or the umask of the checkout.
cp -r config scenarios parsers packaging LICENSE README.md "$common/"
chmod -R u=rwX,go=rX "$common"

for ARCH in ${ARCHES:-amd64 arm64}; do
	export ARCH
	cp -rp "$common" "$stage"
	CGO_ENABLED=0 GOOS=linux GOARCH=$ARCH "$GO" build -trimpath -buildvcs=false -ldflags "-s -w -X csmail/pkg/cli.Version=$VERSION" -o "$stage/csmail" ./cmd/csmail
	find "$stage" -exec touch -d "@$SOURCE_DATE_EPOCH" {} +
	cp "$stage/csmail" "$out/csmail-$VERSION-linux-$ARCH"
	for kind in ${KINDS:-deb rpm}; do
		bin/nfpm package --config packaging/nfpm.yaml --packager "$kind" --target "$out/"
	done
	rm -rf "$stage"
done
rm -rf "$common" "$out/csmail-host"
(cd "$out" && sha256sum -- * >SHA256SUMS)
ls -l "$out"
