package setup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
)

// Machine is the host that csmail runs on.
type Machine struct{}

// sbin are folders of programs that the PATH of sudo or cron may lack.
const sbin = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"

// Run runs a program.
func (Machine) Run(ctx context.Context, name string, args ...string) (string, error) {
	path, err := findProgram(name)
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = append(os.Environ(), "PATH="+sbin, "LC_ALL=C")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		if said := strings.TrimSpace(stderr.String()); said != "" {
			return stdout.String(), fmt.Errorf("%w: %s", err, said)
		}
		return stdout.String(), err
	}
	return stdout.String(), nil
}

// Has reports whether a program is installed.
func (Machine) Has(name string) bool {
	_, err := findProgram(name)
	return err == nil
}

func findProgram(name string) (string, error) {
	for _, dir := range filepath.SplitList(sbin) {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && !info.IsDir() && info.Mode()&0o111 != 0 {
			return path, nil
		}
	}
	return "", fmt.Errorf("program %q: %w", name, exec.ErrNotFound)
}

// ReadFile returns a file's content.
func (Machine) ReadFile(path string) ([]byte, error) { return os.ReadFile(path) }

// WriteFile writes beside the file and renames, so that a crash leaves the old or
// the new one.
func (Machine) WriteFile(path string, content []byte, mode fs.FileMode, owner string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(path), ".csmail-setup-*")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	_, err = file.Write(content)
	err = errors.Join(err, file.Chmod(mode), give(file, owner), file.Sync(), file.Close())
	if err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}

// give sets the owner "user:group" of a file.
func give(file *os.File, owner string) error {
	if owner == "" {
		return nil
	}
	name, group, _ := strings.Cut(owner, ":")
	u, err := user.Lookup(name)
	if err != nil {
		return err
	}
	g, err := user.LookupGroup(group)
	if err != nil {
		return err
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return err
	}
	gid, err := strconv.Atoi(g.Gid)
	if err != nil {
		return err
	}
	return file.Chown(uid, gid)
}

// Remove removes a file.
func (Machine) Remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// IsDir reports whether a folder is there.
func (Machine) IsDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
