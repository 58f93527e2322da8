package check

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"csmail/pkg/config"
	"csmail/pkg/setup"
)

// file is a file of csmail with the rights that it must have.
type file struct {
	path   string
	secret bool // others must not read it
	group  bool // csmail run reads it by the group csmail
}

// filesOf returns the files that hold secrets, and those that root runs or reads commands
// from.
func (p *prober) filesOf() []file {
	main := config.DefaultPath
	return []file{
		{path: main, secret: true, group: true},
		{path: setup.LocalPath, secret: true, group: true},
		{path: p.Config.LAPI.Credentials, secret: true, group: true},
		{path: setup.UndoPath, secret: true},
		{path: p.Config.State, secret: true},
		{path: "/usr/bin/csmail"},
		{path: "/usr/lib/systemd/system/csmail.service"},
	}
}

// files finds files with secrets that other users can read, and trusted files that they
// can write.
func (p *prober) files(context.Context) (string, []Finding) {
	var found []Finding
	looked := 0
	for _, f := range p.filesOf() {
		info, err := p.Files.Stat(f.path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		looked++
		if err != nil {
			found = append(found, ofError(err))
			continue
		}
		found = append(found, f.judge(info, filepath.Dir(p.Config.State))...)
	}
	return fmt.Sprintf("the rights are as they must be (files looked at: %d)", looked), found
}

// judge compares the rights of a file with those that it must have. Below stateFolder
// everything belongs to csmail.
func (f file) judge(info File, stateFolder string) []Finding {
	switch mode := info.Mode.Perm(); {
	case mode&0o022 != 0:
		return critical("sudo chmod go-w "+f.path, "others may write %s (mode %04o)", f.path, mode)
	case f.secret && mode&0o007 != 0:
		return critical("sudo chmod o= "+f.path, "others may read %s, which holds secrets (mode %04o)", f.path, mode)
	case info.Owner != "root" && filepath.Dir(f.path) != stateFolder:
		return warning("sudo chown root "+f.path, "%s belongs to %s, and not to root", f.path, info.Owner)
	case f.group && info.Owner != "csmail" && (info.Group != "csmail" || mode&0o040 == 0):
		return critical("sudo chown root:csmail "+f.path+" && sudo chmod 0640 "+f.path, "csmail run cannot read %s (%s:%s, mode %04o)", f.path, info.Owner, info.Group, mode)
	}
	return nil
}
