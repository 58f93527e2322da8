package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"csmail/pkg/control"
	"csmail/pkg/enforce/wiring"
	"csmail/pkg/hint"
	"csmail/pkg/render"
)

const enforceTestHelp = `Ask each door of csmail run as Postfix and Dovecot do: once for an address, and show
the answer that the mail server would get. Without an address it is 192.0.2.1, which is
nobody's. Nothing is counted as refused that was not.`

func newEnforce(std Streams, configPath *string) *cobra.Command {
	c := &cobra.Command{
		Use:   "enforce",
		Short: "Which decisions are enforced at which door",
		Long:  "Which of CrowdSec's decisions csmail run enforces inside Postfix and Dovecot, and who asks.",
		Args:  noCommand,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newEnforceStatus(std, configPath), newEnforceTest(std, configPath))
	return c
}

func newEnforceStatus(std Streams, configPath *string) *cobra.Command {
	var output string
	c := askDaemon(std, "status", "The doors, who asks at them, and who was refused", "", configPath, noCommand, func(ctx context.Context, client *control.Client, _ []string) error {
		if err := humanOrJSON(output); err != nil {
			return err
		}
		status, err := client.Status(ctx)
		if err != nil {
			return err
		}
		if status.Enforcement == nil {
			if output == "json" {
				return render.AsJSON(std.Out, status.Enforcement)
			}
			return render.Enforcement(std.Out, nil, std.screen())
		}
		wired := askWiring(ctx, std, status.Enforcement)
		if output == "json" {
			return render.AsJSON(std.Out, struct {
				*control.Enforcement
				Wiring wiring.Report `json:"wiring"`
			}{status.Enforcement, wired})
		}
		if err := render.Enforcement(std.Out, status.Enforcement, std.screen()); err != nil {
			return err
		}
		return writeWiring(std.Out, wired)
	})
	c.Long = "The doors that are open, how often a mail server asked at each and when it last did, the latest refusals,\nand how well the LAPI's decisions are followed. Then which services of this host's Postfix and Dovecot ask csmail,\nwhich do not, and which settings would keep everybody out while csmail is dead, each with the command that mends it."
	addOutput(c, &output)
	return c
}

func newEnforceTest(std Streams, configPath *string) *cobra.Command {
	c := askDaemon(std, "test [IP]", "What each door answers on an address", enforceTestHelp, configPath, cobra.MaximumNArgs(1), func(ctx context.Context, client *control.Client, args []string) error {
		addr := "192.0.2.1"
		if len(args) == 1 {
			parsed, err := parseAddr(args[0])
			if err != nil {
				return err
			}
			addr = parsed.String()
		}
		status, err := client.Status(ctx)
		if err != nil {
			return err
		}
		if status.Enforcement == nil {
			return hint.Wrap(fmt.Errorf("nothing is enforced"), "bouncer.api_key is what sudo cscli bouncers add csmail prints")
		}
		return testDoors(ctx, std.Out, status.Enforcement, addr)
	})
	return c
}

// testDoors asks every place of every door that speaks a protocol of streams.
func testDoors(ctx context.Context, w io.Writer, e *control.Enforcement, addr string) error {
	var failed error
	for _, d := range e.Doors {
		ask := map[string]func(context.Context, string, string) (string, error){"policy": askPolicy, "auth-policy": askAuthPolicy}[d.Name]
		if ask == nil {
			continue
		}
		for _, place := range d.Places {
			began := time.Now()
			answer, err := ask(ctx, place, addr)
			if err != nil {
				answer, failed = "no answer: "+err.Error(), hint.Wrap(fmt.Errorf("the door %s at %s does not answer", d.Name, place), "journalctl -u csmail tells more; the mail server lets everybody in meanwhile")
			}
			if _, err := fmt.Fprintf(w, "%s at %s on %s, after %s: %s\n", d.Name, place, addr, time.Since(began).Round(10*time.Microsecond), answer); err != nil {
				return err
			}
		}
	}
	return failed
}

func dialDoor(ctx context.Context, place string) (net.Conn, error) {
	d := &net.Dialer{Timeout: 5 * time.Second}
	if path, isUnix := strings.CutPrefix(place, "unix:"); isUnix || strings.HasPrefix(place, "/") {
		return d.DialContext(ctx, "unix", path)
	}
	return d.DialContext(ctx, "tcp", place)
}

// askPolicy asks as Postfix does.
func askPolicy(ctx context.Context, place, addr string) (string, error) {
	c, err := dialDoor(ctx, place)
	if err != nil {
		return "", err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return "", err
	}
	if _, err := fmt.Fprintf(c, "request=smtpd_access_policy\nprotocol_state=CONNECT\nclient_address=%s\npolicy_context=mx\n\n", addr); err != nil {
		return "", err
	}
	line, err := bufio.NewReader(c).ReadString('\n')
	return strings.TrimSpace(strings.TrimPrefix(line, "action=")), err
}

// askAuthPolicy asks as Dovecot does.
func askAuthPolicy(ctx context.Context, place, addr string) (string, error) {
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dialDoor(ctx, place) }}
	defer transport.CloseIdleConnections()
	body, err := json.Marshal(map[string]string{"login": "csmail-test", "remote": addr, "protocol": "test"})
	if err != nil {
		return "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://csmail/?command=allow", strings.NewReader(string(body)))
	if err != nil {
		return "", err
	}
	resp, err := (&http.Client{Transport: transport, Timeout: 5 * time.Second}).Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 4096))
	if resp.StatusCode == http.StatusForbidden {
		return "it wants a key (enforce.auth_policy.key)", err
	}
	return strings.TrimSpace(string(text)), err
}
