package event

// Origin identifies the lines of one program on one host, by hashes of both names. A
// client has no influence on either name. The hashes are the same in every process, as
// snapshots need (FNV-1a, 64 bits).
type Origin struct {
	Host, Program uint64

	// Edge is the edge that reported the line, as EdgeOf returns it, on a judge of a
	// cluster; elsewhere 0. An edge cannot choose it, unlike the names in its lines.
	Edge uint64
}

// OriginOf returns the origin of the lines of a program on a host.
func OriginOf(host, program string) Origin {
	return Origin{Host: nameHash(host), Program: nameHash(program)}
}

// EdgeOf returns the hash of the name of an edge.
func EdgeOf(name string) uint64 { return nameHash(name) }

func nameHash(name string) uint64 {
	sum := uint64(14695981039346656037)
	for i := range len(name) {
		sum = (sum ^ uint64(name[i])) * 1099511628211
	}
	return sum
}

// From returns the record's origin, whether its parser has set it or not.
func (r *Record) From() Origin {
	if r.Origin == (Origin{}) {
		r.Origin = OriginOf(r.Host, r.Program)
	}
	return r.Origin
}
