package hub

import (
	"context"
	"crypto/tls"
	stderrors "errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/pkg/errors"
)

const (
	maxTries     = 6       // tries in a row that bring no new piece of the file
	newPiece     = 1 << 20 // bytes
	maxPause     = 30 * time.Second
	maxObeyed    = 5 * time.Minute // the longest Retry-After that is obeyed
	maxRedirects = 10
)

// again is a failure after which another try may succeed.
type again struct {
	error
	after time.Duration // the least to wait, as the server asked
}

func (a again) Unwrap() error { return a.error }

func againf(format string, a ...any) error { return again{error: errors.Errorf(format, a...)} }

var errStalled = errors.New("stalled")

// retry calls try until it succeeds or returns an error that is not again; what names in messages what is asked for.
// more says that a try came further than all tries before it. The pauses between tries double. Part of a pause is
// random, so that many clients do not come back at once.
func (c *Client) retry(ctx context.Context, what string, try func() (more bool, err error)) error {
	pause := c.pause
	if pause == 0 {
		pause = time.Second
	}
	for n := 1; ; n++ {
		more, err := try()
		var a again
		switch {
		case ctx.Err() != nil && err != nil:
			return errors.WithStack(ctx.Err())
		case !errors.As(err, &a):
			return err
		case a.after > maxObeyed:
			return errors.Errorf("%v and asks to come back in %v", err, a.after)
		case more:
			n = 1
		case n == maxTries:
			return errors.Errorf("%v; given up after %d tries, the same command goes on from here", err, n)
		}
		wait := min(maxPause, pause<<(n-1))
		wait = max(a.after, wait/2+rand.N(wait/2+1))
		c.note(fmt.Sprintf("%s: %v; next try in %v", what, err, wait.Round(100*time.Millisecond)))
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return errors.WithStack(ctx.Err())
		}
	}
}

// watch returns a context that ends with errStalled when alive is not called in time. Call stop when done.
func (c *Client) watch(ctx context.Context) (_ context.Context, alive, stop func()) {
	stall := c.stall
	if stall == 0 {
		stall = 30 * time.Second
	}
	ctx, cancel := context.WithCancelCause(ctx)
	t := time.AfterFunc(stall, func() { cancel(errStalled) })
	return ctx, func() { t.Reset(stall) }, func() { t.Stop(); cancel(nil) }
}

// get asks for an address under the endpoint and follows redirects. The status of the answer is 200 or 206, or 416 if
// header asks for a range. The caller closes the body.
func (c *Client) get(ctx context.Context, address string, header http.Header) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, errors.WithStack(err)
	}
	req.Header.Set("User-Agent", "ceto")
	req.Header.Set("Accept-Encoding", "identity") // so that lengths and hashes are those of the file
	for k, v := range header {
		req.Header[k] = v
	}
	if c.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.Token)
	}
	home := req.URL
	client := http.Client{}
	if c.HTTP != nil {
		client = *c.HTTP
	}
	client.CheckRedirect = func(r *http.Request, via []*http.Request) error {
		switch {
		case len(via) > maxRedirects:
			return refusal{errors.Errorf("more than %d redirects", maxRedirects)}
		case home.Scheme == "https" && r.URL.Scheme != "https":
			return refusal{errors.Errorf("the hub redirects to %s without https", r.URL.Host)}
		case !sameHost(r.URL, home):
			r.Header.Del("Authorization") // net/http would send it to another port and to a subdomain
		}
		return nil
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, netError(ctx, err)
	}
	ok := resp.StatusCode == http.StatusOK || resp.StatusCode == http.StatusPartialContent
	if ok || resp.StatusCode == http.StatusRequestedRangeNotSatisfiable && header.Get("Range") != "" {
		return resp, nil
	}
	defer resp.Body.Close()
	return nil, c.statusError(resp, home)
}

func sameHost(a, b *url.URL) bool { return a.Scheme == b.Scheme && a.Host == b.Host }

// refusal is the error of a redirect that is not followed.
type refusal struct{ error }

// netError returns the error of a network's failure, as again if the failure may pass. ctx is the context of watch.
func netError(ctx context.Context, err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err // the address may be long and hold a signature
	}
	var (
		refused refusal
		dns     *net.DNSError
		cert    *tls.CertificateVerificationError
	)
	switch {
	case errors.Is(context.Cause(ctx), errStalled):
		return againf("nothing came for a while")
	case errors.As(err, &refused), errors.As(err, &cert):
		return errors.WithStack(err)
	case errors.As(err, &dns) && dns.IsNotFound:
		return errors.WithMessage(err, "the hub cannot be found; without a network set HF_HUB_OFFLINE=1")
	case stderrors.Is(err, io.ErrUnexpectedEOF):
		return againf("the connection was cut")
	}
	return again{error: errors.WithMessage(err, "the connection failed")}
}

// statusError says what a status other than success means. home is the address that was asked for. Source of
// X-Error-Code: huggingface_hub 0.36, utils/_http.py.
func (c *Client) statusError(resp *http.Response, home *url.URL) error {
	code, status := resp.Header.Get("X-Error-Code"), resp.StatusCode
	if !sameHost(resp.Request.URL, home) {
		if status < 500 && status != http.StatusForbidden && status != http.StatusTooManyRequests {
			return errors.Errorf("%s, where the hub keeps the file, answers %d", resp.Request.URL.Host, status)
		}
		return again{errors.Errorf("%s, where the hub keeps the file, answers %d", resp.Request.URL.Host, status), retryAfter(resp)} // 403: the signed address has expired
	}
	switch {
	case status == http.StatusTooManyRequests, status == http.StatusRequestTimeout, status >= 500:
		return again{errors.Errorf("the hub answers %d", status), retryAfter(resp)}
	case code == "GatedRepo" && c.Token == "":
		return errors.Errorf("the repository is gated (%d): accept its terms on its page at %s, then set HF_TOKEN", status, home.Host)
	case code == "GatedRepo":
		return errors.Errorf("the repository is gated (%d) and the token does not open it: ask for access on its page at %s, or set another HF_TOKEN", status, home.Host)
	case status == http.StatusUnauthorized && c.Token == "":
		return errors.Errorf("there is no such repository, or it is private (%d): check the name, or set HF_TOKEN", status)
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return errors.Errorf("the hub refuses access (%d): set HF_TOKEN to a token that may read the repository", status)
	case code == "RevisionNotFound":
		return errors.Errorf("the repository has no such revision (%d)", status)
	case code == "EntryNotFound":
		return errors.Errorf("the revision has no such file (%d)", status)
	case code == "RepoNotFound":
		return errors.Errorf("there is no such repository (%d) at %s", status, home.Host)
	case status == http.StatusNotFound:
		return errors.Errorf("%s knows no %.120q (%d)", home.Host, home.Path, status)
	}
	return errors.Errorf("the hub answers %d %.120q", status, resp.Header.Get("X-Error-Message"))
}

// retryAfter returns how long an answer asks to wait, in seconds or until a date. Source: RFC 9110, section 10.2.3.
func retryAfter(resp *http.Response) time.Duration {
	s := resp.Header.Get("Retry-After")
	if n, err := strconv.ParseUint(s, 10, 31); err == nil {
		return time.Duration(n) * time.Second
	}
	if t, err := http.ParseTime(s); err == nil {
		return max(0, time.Until(t).Round(time.Second))
	}
	return 0
}
