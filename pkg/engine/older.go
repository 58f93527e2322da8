package engine

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"maps"
	"slices"
	"time"
)

// gobPart is the first byte of what waits in snapshots of csmail up to November 2026,
// which were encoded by encoding/gob. Still older ones hold JSON, which starts with '{'.
const gobPart = 1

// readOlderWaiting reads what waits from the snapshot of an older csmail.
func readOlderWaiting(b []byte) (p pending, err error) {
	if len(b) > 0 && b[0] == gobPart {
		err = gob.NewDecoder(bytes.NewReader(b[1:])).Decode(&p)
		return p, err
	}
	var older struct {
		Since   time.Time
		Waiting map[string]waiting
	}
	if err := json.Unmarshal(b, &older); err != nil {
		return p, err
	}
	p.Since = older.Since
	for _, name := range slices.Sorted(maps.Keys(older.Waiting)) {
		p.Waiting = append(p.Waiting, older.Waiting[name])
	}
	return p, nil
}
