//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"csmail/tests/lapitest"
)

// builder is buildah with a store of its own. It needs no engine, and its containers
// share the network of whoever starts them, as with --network host.
type builder struct {
	t     *testing.T
	store string
}

func (b builder) command(args ...string) *exec.Cmd {
	cmd := exec.Command("buildah", append([]string{"--root", b.store + "/root", "--runroot", b.store + "/run", "--storage-driver", "vfs"}, args...)...)
	cmd.Env = append(os.Environ(), "BUILDAH_ISOLATION=chroot")
	return cmd
}

func (b builder) do(args ...string) string {
	b.t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := b.command(args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		b.t.Fatalf("buildah %v: %v\n%s%s", args, err, stdout.Bytes(), stderr.Bytes())
	}
	return strings.TrimSpace(stdout.String())
}

// goImage stands in for the image golang, since a test may not depend on a registry
// of images: a shell and what the Dockerfile takes besides. This machine's Go is
// mounted as it is built.
const goImage = "csmail-e2e-go"

func (b builder) makeGoImage() {
	b.t.Helper()
	c := b.do("from", "scratch")
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		b.t.Fatal(err)
	}
	b.do("copy", "-q", c, busybox, "/bin/busybox")
	b.do("copy", "-q", c, "/etc/ssl/certs/ca-certificates.crt", "/etc/ssl/certs/ca-certificates.crt")
	b.do("run", c, "/bin/busybox", "--install", "-s", "/bin")
	b.do("run", c, "/bin/busybox", "mkdir", "-m", "1777", "/tmp")
	b.do("config", "--env", "PATH=/usr/local/go/bin:/bin", "--env", "GOPATH=/go", "--env", "GOCACHE=/go/cache", "--env", "GOTOOLCHAIN=local", "--env", "GOFLAGS="+os.Getenv("GOFLAGS"), c)
	b.do("commit", "-q", c, goImage)
	b.do("rm", c)
}

func goEnv(t *testing.T, name string) string {
	t.Helper()
	out, err := exec.Command("go", "env", name).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// build builds the Dockerfile and returns a container of it, with the program that
// it starts.
func (b builder) build() (container string, program []string) {
	b.makeGoImage()
	b.do("bud", "-t", "csmail-e2e", "--build-arg", "GO_IMAGE="+goImage,
		"-v", goEnv(b.t, "GOROOT")+":/usr/local/go:ro", "-v", goEnv(b.t, "GOMODCACHE")+":/go/pkg/mod", "-v", goEnv(b.t, "GOCACHE")+":/go/cache", filepath.Join("..", ".."))
	container = b.do("from", "csmail-e2e")
	var image struct {
		OCIv1 struct {
			Config struct{ Entrypoint, Cmd []string }
		}
	}
	if err := json.Unmarshal([]byte(b.do("inspect", container)), &image); err != nil {
		b.t.Fatal(err)
	}
	return container, slices.Concat(image.OCIv1.Config.Entrypoint, image.OCIv1.Config.Cmd)
}

// TestContainer builds the image and runs it as README.md says: it reads the host's
// log, bans, answers and ends as it should, as nobody.
func TestContainer(t *testing.T) {
	b := builder{t, t.TempDir()}
	container, program := b.build()
	server := startLAPI(t, lapitest.Current)
	host := newContainerHost(t, server)

	var said bytes.Buffer
	cmd := b.command(slices.Concat([]string{"run"}, host.volumes(), []string{container, "--"}, program)...)
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	pid := 0
	t.Cleanup(func() {
		if pid != 0 && syscall.Kill(pid, syscall.SIGKILL) == nil {
			<-ended
		}
	})
	within(t, "csmail runs", func() bool { pid = descendant(cmd.Process.Pid, program); return pid != 0 })
	within(t, "the attacker is banned", func() bool {
		list := decisions(t, server)
		return len(list) > 0 && list[0].Value == "203.0.113.66"
	})
	mustBeNobody(t, pid)
	b.do(slices.Concat([]string{"run"}, host.volumes(), []string{container, "--", program[0], "status"})...)

	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("csmail run: %v\n%s", err, said.String())
		}
	case <-time.After(5 * time.Second):
		t.Error("csmail does not end")
	}
	if want := "there is /etc/postfix/main.cf, but no postconf to read it"; !strings.Contains(said.String(), want) {
		t.Errorf("csmail did not say %q:\n%s", want, said.String())
	}
}

// containerHost is what the host gives to the container.
type containerHost struct{ dir string }

func newContainerHost(t *testing.T, server *lapitest.Server) containerHost {
	t.Helper()
	h := containerHost{t.TempDir()}
	for _, name := range []string{"etc", "log", "postfix", "state", "run"} {
		if err := os.Mkdir(filepath.Join(h.dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	credentials, err := server.AddMachine(t.Context(), "csmail")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(credentials)
	if err != nil {
		t.Fatal(err)
	}
	attack := &trafficLog{random: rand.New(rand.NewPCG(1, 1))}
	attack.guessOften(time.Now().Add(-5*time.Minute), "203.0.113.66")
	write(t, h.dir, "etc/lapi_credentials.yaml", text)
	write(t, h.dir, "log/mail.log", []byte(attack.text()))
	write(t, h.dir, "postfix/main.cf", []byte("mynetworks = 192.0.2.0/24\n"))
	const script = `set -e
cd "$0"
chgrp 4 etc/lapi_credentials.yaml log/mail.log
chmod 640 etc/lapi_credentials.yaml log/mail.log
chown 65534:4 state run
`
	if out, err := exec.Command("sh", "-c", script, h.dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return h
}

// volumes are those of README.md. The socket's folder is one too, since each command
// that buildah runs in a container has the container to itself.
func (h containerHost) volumes() []string {
	return []string{
		"-v", h.dir + "/etc:/etc/csmail:ro", "-v", h.dir + "/log:/var/log:ro", "-v", h.dir + "/postfix:/etc/postfix:ro",
		"-v", h.dir + "/state:/var/lib/csmail", "-v", h.dir + "/run:/run/csmail",
	}
}

// descendant finds the process below pid that was started so, 0 if there is none.
func descendant(pid int, program []string) int {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, file := range files {
		for _, child := range strings.Fields(readFile(file)) {
			n, _ := strconv.Atoi(child)
			if readFile("/proc/"+child+"/cmdline") == strings.Join(program, "\x00")+"\x00" {
				return n
			}
			if found := descendant(n, program); found != 0 {
				return found
			}
		}
	}
	return 0
}

func mustBeNobody(t *testing.T, pid int) {
	t.Helper()
	status := readFile(fmt.Sprintf("/proc/%d/status", pid))
	for _, want := range []string{"Uid:\t65534\t65534\t65534\t65534", "Gid:\t4\t4\t4\t4"} {
		if !strings.Contains(status, want) {
			t.Errorf("no %q in the status of csmail:\n%s", want, status)
		}
	}
}

func within(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}
