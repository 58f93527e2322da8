package arena

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// Runs do not overlap, keep what they hold when they are resized, and all come back.
func TestBlocks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type run struct {
			at   uint32
			want []uint64
		}
		var b Blocks[uint64]
		var runs []run
		next := uint64(0)
		write := func(r *run, n int) {
			r.want = slices.Grow(r.want[:min(len(r.want), n)], n)
			for len(r.want) < n {
				next++
				r.want = append(r.want, next)
			}
			copy(b.At(r.at, n), r.want)
		}
		sizes := rapid.OneOf(rapid.IntRange(1, 9), rapid.IntRange(1, 9), rapid.IntRange(1, 3*blockChunkSize))
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			n := sizes.Draw(t, "n")
			if len(runs) == 0 || rapid.Bool().Draw(t, "new") {
				r := run{at: b.Take(n)}
				write(&r, n)
				runs = append(runs, r)
				continue
			}
			i := rapid.IntRange(0, len(runs)-1).Draw(t, "which")
			r := &runs[i]
			if rapid.IntRange(0, 2).Draw(t, "free") == 0 {
				b.Give(r.at, len(r.want))
				runs = slices.Delete(runs, i, i+1)
				continue
			}
			r.at = b.Resize(r.at, len(r.want), n)
			if got := b.At(r.at, min(n, len(r.want))); !slices.Equal(got, r.want[:len(got)]) {
				t.Fatalf("resized from %d to %d: got %v, want %v", len(r.want), n, got, r.want[:len(got)])
			}
			write(r, n)
		}
		for _, r := range runs {
			if got := b.At(r.at, len(r.want)); r.at == 0 || !slices.Equal(got, r.want) {
				t.Fatalf("run %d: got %v, want %v", r.at, got, r.want)
			}
			b.Give(r.at, len(r.want))
		}
		if b.Taken() != 0 {
			t.Fatalf("got %d records that are still taken, want none", b.Taken())
		}
	})
}

// A record comes back zero, and its number is the next to be handed out.
func TestSlab(t *testing.T) {
	var s Slab[int]
	for want := uint32(1); want <= 3*slabChunkSize; want++ {
		if got := s.Take(); got != want || *s.At(got) != 0 {
			t.Fatalf("got number %d with %d, want %d with 0", got, *s.At(got), want)
		}
		*s.At(want) = int(want)
	}
	s.Give(7)
	s.Give(2000)
	if got := s.Len(); got != 3*slabChunkSize-2 {
		t.Errorf("got %d records in use, want %d", got, 3*slabChunkSize-2)
	}
	for _, want := range []uint32{2000, 7, 3*slabChunkSize + 1} {
		if got := s.Take(); got != want || *s.At(got) != 0 {
			t.Errorf("got number %d with %d, want %d with 0", got, *s.At(got), want)
		}
	}
	if got := *s.At(8); got != 8 {
		t.Errorf("got %d in record 8, want what was written there", got)
	}
}

// An Index finds what a map finds, also where most hashes collide.
func TestIndex(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type key struct{ hash, salt uint32 }
		var x Index
		var keys Slab[key]
		model := map[key]uint32{}
		find := func(k key) uint32 {
			for n, at := x.First(k.hash); n != 0; n, at = x.Next(k.hash, at) {
				if *keys.At(n) == k {
					return n
				}
			}
			return 0
		}
		few := rapid.OneOf(rapid.Uint32Range(0, 3), rapid.Uint32Range(1<<32-3, 1<<32-1), rapid.Uint32())
		for range rapid.IntRange(1, 300).Draw(t, "steps") {
			k := key{few.Draw(t, "hash"), rapid.Uint32Range(0, 4).Draw(t, "salt")}
			n, known := model[k]
			switch {
			case !known:
				n = keys.Take()
				*keys.At(n), model[k] = k, n
				x.Put(k.hash, n)
			case rapid.Bool().Draw(t, "remove"):
				x.Remove(k.hash, n)
				keys.Give(n)
				delete(model, k)
			}
			if got := find(k); got != model[k] {
				t.Fatalf("%v: got %d, want %d", k, got, model[k])
			}
		}
		for k, want := range model {
			if got := find(k); got != want {
				t.Fatalf("%v: got %d, want %d", k, got, want)
			}
		}
		if x.Len() != len(model) {
			t.Fatalf("got %d records, want %d", x.Len(), len(model))
		}
	})
}
