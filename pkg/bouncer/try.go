package bouncer

import (
	"context"
	"net/http"
	"time"
)

// Try reports whether the LAPI accepts a bouncer's key or certificate, within timeout. It
// sends HEAD, which unlike GET does not count as a pull: a second reader of a key takes
// decisions away from the first. The error is [ErrRefused] or [ErrUnreachable].
func Try(ctx context.Context, c Config, version string, timeout time.Duration) error {
	c.UpdateFrequency = max(c.UpdateFrequency, time.Second) // the library wants one; it is not used
	client, err := newClient(c, version, timeout)
	if err != nil {
		return err
	}
	defer client.close()
	req, err := client.api.PrepareRequest(ctx, http.MethodHead, "v1/decisions", nil)
	if err != nil {
		return err
	}
	resp, err := client.api.Do(ctx, req, nil)
	if err != nil {
		return client.explain(ctx, resp, err)
	}
	return nil
}
