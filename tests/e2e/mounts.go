//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// mountAll gives the server its own /etc, /dev, /run, /proc and queue; all else
// is the machine's or the other release's, so that the installed daemons run as
// they are.
func mountAll(cfg serverConfig) error {
	dir, root := cfg.Dir, cfg.Root
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("private mounts: %w", err)
	}
	if err := mountDev(root, filepath.Join(dir, "dev"), filepath.Join(dir, "log.sock")); err != nil {
		return err
	}
	if err := syscall.Mount("proc", root+"/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	if err := syscall.Mount("tmpfs", root+"/run", "tmpfs", 0, "mode=755"); err != nil {
		return fmt.Errorf("mount /run: %w", err)
	}
	for from, to := range map[string]string{"etc": "/etc", "spool": "/var/spool/postfix", "lib": "/var/lib/postfix"} {
		if err := syscall.Mount(filepath.Join(dir, from), root+to, "", syscall.MS_BIND, ""); err != nil {
			return fmt.Errorf("mount %s: %w", to, err)
		}
	}
	if root == "" {
		return nil
	}
	return mountInto(root, dir)
}

// mountInto shows the lab's folder under the same name in the other release.
func mountInto(root, dir string) error {
	if err := syscall.Mount("tmpfs", root+"/tmp", "tmpfs", 0, "mode=1777"); err != nil {
		return fmt.Errorf("mount %s/tmp: %w", root, err)
	}
	if err := os.MkdirAll(root+dir, 0o755); err != nil {
		return err
	}
	if err := syscall.Mount(dir, root+dir, "", syscall.MS_BIND|syscall.MS_REC, ""); err != nil {
		return fmt.Errorf("mount %s: %w", dir, err)
	}
	return nil
}

// enter makes root the server's root directory; "" is the machine's.
func enter(root string) error {
	if root == "" {
		return nil
	}
	if err := syscall.Chroot(root); err != nil {
		return fmt.Errorf("chroot %s: %w", root, err)
	}
	return os.Chdir("/")
}

func mountDev(root, dev, logSocket string) error {
	if err := syscall.Mount("tmpfs", dev, "tmpfs", 0, "mode=755"); err != nil {
		return fmt.Errorf("mount /dev: %w", err)
	}
	for _, name := range []string{"null", "zero", "full", "random", "urandom", "tty"} {
		node := filepath.Join(dev, name)
		if err := os.WriteFile(node, nil, 0o666); err != nil {
			return err
		}
		if err := syscall.Mount("/dev/"+name, node, "", syscall.MS_BIND, ""); err != nil {
			return fmt.Errorf("mount /dev/%s: %w", name, err)
		}
	}
	if err := os.Mkdir(filepath.Join(dev, "shm"), 0o777); err != nil {
		return err
	}
	if err := os.Symlink(logSocket, filepath.Join(dev, "log")); err != nil {
		return err
	}
	if err := syscall.Mount(dev, root+"/dev", "", syscall.MS_BIND|syscall.MS_REC, ""); err != nil {
		return fmt.Errorf("mount /dev: %w", err)
	}
	return nil
}

// fromMachine is what the server's /etc takes over from the machine's.
const fromMachine = "passwd group services protocols ld.so.cache localtime alternatives ssl postfix"

// writeEtc builds the server's /etc.
func writeEtc(cfg serverConfig) error {
	etc := filepath.Join(cfg.Dir, "etc")
	for _, sub := range []string{etc, filepath.Join(etc, "dovecot")} {
		if err := os.Mkdir(sub, 0o755); err != nil {
			return err
		}
	}
	for name := range strings.FieldsSeq(fromMachine) {
		if _, err := os.Stat(cfg.Root + "/etc/" + name); os.IsNotExist(err) {
			continue
		}
		if out, err := exec.Command("cp", "-a", cfg.Root+"/etc/"+name, etc).CombinedOutput(); err != nil {
			return fmt.Errorf("copy /etc/%s: %w: %s", name, err, out)
		}
	}
	return writeFiles(etc, map[string]string{
		"hosts":         hosts(cfg.Apart),
		"hostname":      hostName + "\n",
		"resolv.conf":   "nameserver 127.0.0.1\noptions timeout:2 attempts:1\n",
		"nsswitch.conf": "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nservices: files\nprotocols: files\n",
	})
}

func writeFiles(dir string, files map[string]string) error {
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}
