// Package e2e runs csmail against the real programs: Postfix and Dovecot write
// the logs, clients in network namespaces of their own attack or use them, and
// a real CrowdSec takes the decisions. It needs root and the packages that
// install.sh names, and is built only with the tag e2e. It never uses the
// network of the machine and leaves no process, namespace or file behind.
package e2e
