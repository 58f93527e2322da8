package cluster

import "slices"

// Permissions are the subjects that a key may use.
type Permissions struct {
	Publish, Subscribe []string
}

// PermissionsOf returns the permissions that a host needs, and nothing else. The server refuses the rest,
// so a stolen key of an edge can neither read other hosts' batches, nor send in their
// names, nor give orders to the judges, nor touch the stream or the lease.
//
// The subjects of the JetStream API are those of nats-server 2.12
// (server/jetstream_api.go). The inbox is the host's own (nats.CustomInboxPrefix), so
// that no host hears the answers that another gets.
func PermissionsOf(name, stream string, isEdge, isJudge bool) Permissions {
	p := Permissions{Subscribe: []string{"_INBOX_" + name + ".>"}}
	if isEdge {
		p.Publish = append(
			p.Publish,
			subjects+name,
			"$JS.API.DIRECT.GET."+stream+"."+subjects+name,
			"$JS.API.DIRECT.GET."+bucketStream(atBucket)+"."+atSubject("*", name),
		)
	}
	if isJudge {
		p.Publish = append(p.Publish, judgePublishes(name, stream)...)
	}
	return p
}

func judgePublishes(name, stream string) []string {
	all := []string{orders, bucketSubject(leaseBucket, leaderKey), atSubject(name, "*"), bucketSubject(atBucket, secretKey), "$JS.API.INFO"}
	streams := []string{stream, bucketStream(leaseBucket), bucketStream(atBucket)}
	for _, s := range streams {
		for _, verb := range []string{"INFO", "CREATE", "UPDATE"} {
			all = append(all, "$JS.API.STREAM."+verb+"."+s)
		}
	}
	for _, bucket := range streams[1:] {
		all = append(all, "$JS.API.DIRECT.GET."+bucket+".>", "$JS.API.STREAM.MSG.GET."+bucket)
	}
	for _, verb := range []string{"CREATE", "DELETE", "INFO", "MSG.NEXT"} {
		all = append(all, "$JS.API.CONSUMER."+verb+"."+stream+".>")
	}
	return slices.Clip(all)
}
