package daily

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// A mailTable finds what a map finds.
func TestMailTable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		table, model := newMailTable(), map[string]*mail{}
		var all []*mail
		for step := range rapid.IntRange(1, 300).Draw(t, "steps") {
			id := fmt.Sprint(rapid.IntRange(0, 100).Draw(t, "id"))
			if len(all) == 0 || rapid.Bool().Draw(t, "put") {
				m := &mail{id: id}
				all = append(all, m)
				table.put(m)
				model[id] = m
			} else { // as forget does, with any mail that was ever there
				m := all[rapid.IntRange(0, len(all)-1).Draw(t, "which")]
				if table.drop(m); model[m.id] == m {
					delete(model, m.id)
				}
			}
			if got := table.find(id); got != model[id] || table.len() != len(model) {
				t.Fatalf("step %d, %q: got %p of %d, want %p of %d", step, id, got, table.len(), model[id], len(model))
			}
		}
		for _, m := range all {
			if got, want := m.place.number != 0, model[m.id] == m; got != want {
				t.Fatalf("%q: in the table: %v, want %v", m.id, got, want)
			}
		}
	})
}
