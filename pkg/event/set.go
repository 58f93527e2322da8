package event

import "slices"

// How many kinds and services there are, NoKind and NoService among them. Tables
// indexed by kind or service have these lengths.
const (
	KindCount    = int(kindCount)
	ServiceCount = int(serviceCount)
)

// KindSet is a set of kinds.
type KindSet uint64

// AllKinds is the set of every kind.
const AllKinds = ^KindSet(0)

// The compiler refuses a constant below zero: one kind or service too many for its
// set does not compile.
const (
	_ = uint(64 - kindCount)
	_ = uint(16 - serviceCount)
)

// With returns the set with one more kind.
func (s KindSet) With(k Kind) KindSet { return s | 1<<k }

// Has reports whether the kind is in the set.
func (s KindSet) Has(k Kind) bool { return s>>k&1 == 1 }

// ServiceSet is a set of services. NoService is in none.
type ServiceSet uint16

// With returns the set with one more service.
func (s ServiceSet) With(service Service) ServiceSet { return (s | 1<<service) &^ 1 }

// Has reports whether the service is in the set.
func (s ServiceSet) Has(service Service) bool { return s>>service&1 == 1 }

// Names returns the names of the services, sorted.
func (s ServiceSet) Names() []string {
	names := make([]string, 0, ServiceCount)
	for _, service := range Services() {
		if s.Has(service) {
			names = append(names, service.String())
		}
	}
	slices.Sort(names)
	return names
}

// Services returns every service, in the order of their numbers.
func Services() []Service {
	services := make([]Service, 0, ServiceCount-1)
	for s := NoService + 1; s < serviceCount; s++ {
		services = append(services, s)
	}
	return services
}
