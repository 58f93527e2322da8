package host

import (
	"os"
	"path/filepath"
	"strings"
	"time"
)

// ZoneName names the host's time zone, like Europe/Berlin, which Go calls Local.
// Where it has no name, it is the abbreviation of now.
func ZoneName() string {
	if name := strings.TrimPrefix(os.Getenv("TZ"), ":"); name != "" {
		return name
	}
	path, err := filepath.EvalSymlinks("/etc/localtime")
	if _, name, ok := strings.Cut(path, "/zoneinfo/"); err == nil && ok {
		return name
	}
	name, _ := time.Now().Zone()
	return name
}
