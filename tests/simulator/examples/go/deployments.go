// Package deployments is a client of the deployment API, as your own code may have one. It is what the tests are about.
package deployments

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Client calls the API. Its fields are not changed after the first call.
type Client struct {
	BaseURL string
	Token   string
	HTTP    *http.Client  // its Timeout is that of one try
	Wait    time.Duration // before the second try; it doubles with each
}

// Deployment is as much of a deployment as is looked at here.
type Deployment struct {
	ID           string        `json:"id"`
	Status       string        `json:"status"`
	PausedReason *PausedReason `json:"paused_reason"`
	ArchivedAt   *time.Time    `json:"archived_at"`
	Schedule     *Schedule     `json:"schedule"`
}

// PausedReason is why a deployment is paused.
type PausedReason struct {
	Type  string    `json:"type"`
	Error *RunError `json:"error"`
}

// Schedule is when a deployment runs.
type Schedule struct {
	UpcomingRunsAt []time.Time `json:"upcoming_runs_at"`
}

// Run is one run of a deployment.
type Run struct {
	ID        string    `json:"id"`
	CreatedAt time.Time `json:"created_at"`
	Error     *RunError `json:"error"`
}

// RunError is what a run has failed with.
type RunError struct {
	Type string `json:"type"`
}

// APIError says that the API, or something in front of it, has refused.
type APIError struct {
	Method, Path string
	Status       int
}

func (e *APIError) Error() string {
	return fmt.Sprintf("%s %s: %d", e.Method, e.Path, e.Status)
}

const tries = 3

// Get reads one deployment.
func (c *Client) Get(ctx context.Context, id string) (Deployment, error) {
	return send[Deployment](ctx, c, http.MethodGet, "/deployments/"+id)
}

// List reads all deployments that are not archived, the newest first.
func (c *Client) List(ctx context.Context, pageSize int) iter.Seq2[Deployment, error] {
	return pages[Deployment](ctx, c, "/deployments", pageSize)
}

// Runs reads the runs of a deployment, the newest first.
func (c *Client) Runs(ctx context.Context, id string, pageSize int) iter.Seq2[Run, error] {
	return pages[Run](ctx, c, "/deployments/"+id+"/runs", pageSize)
}

// Pause pauses a deployment. One that is paused already is left as it is.
func (c *Client) Pause(ctx context.Context, id string) (Deployment, error) {
	return c.set(ctx, id, "pause", "paused")
}

// Unpause lets a deployment run again. One that does already is left as it is.
func (c *Client) Unpause(ctx context.Context, id string) (Deployment, error) {
	return c.set(ctx, id, "unpause", "active")
}

func (c *Client) set(ctx context.Context, id, verb, wanted string) (Deployment, error) {
	deployment, err := send[Deployment](ctx, c, http.MethodPost, "/deployments/"+id+"/"+verb)
	var refusal *APIError
	if !errors.As(err, &refusal) || refusal.Status != http.StatusConflict {
		return deployment, err
	}
	// Either somebody was faster, or it is archived.
	deployment, getErr := c.Get(ctx, id)
	if getErr != nil || deployment.Status != wanted || deployment.ArchivedAt != nil {
		return Deployment{}, err
	}
	return deployment, nil
}

func pages[T any](ctx context.Context, c *Client, path string, pageSize int) iter.Seq2[T, error] {
	type page struct {
		Data    []T    `json:"data"`
		HasMore bool   `json:"has_more"`
		LastID  string `json:"last_id"`
	}
	return func(yield func(T, error) bool) {
		query := url.Values{"limit": {strconv.Itoa(pageSize)}}
		for {
			read, err := send[page](ctx, c, http.MethodGet, path+"?"+query.Encode())
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, item := range read.Data {
				if !yield(item, nil) {
					return
				}
			}
			if !read.HasMore {
				return
			}
			query.Set("after_id", read.LastID)
		}
	}
}

// send makes a request, and tries it again if it may have been in vain.
func send[T any](ctx context.Context, c *Client, method, path string) (answer T, err error) {
	// One key for all tries of a write: if only the answer was lost, the next try gets the same one.
	key := rand.Text()
	for attempt := range tries {
		if attempt > 0 {
			select {
			case <-time.After(c.Wait << (attempt - 1)):
			case <-ctx.Done():
				return answer, ctx.Err()
			}
		}
		answer, err = try[T](ctx, c, method, path, key)
		var refusal *APIError
		if err == nil || errors.As(err, &refusal) && refusal.Status != http.StatusTooManyRequests &&
			refusal.Status != http.StatusServiceUnavailable {
			return answer, err
		}
	}
	return answer, err
}

func try[T any](ctx context.Context, c *Client, method, path, key string) (answer T, err error) {
	request, err := http.NewRequestWithContext(ctx, method, c.BaseURL+path, nil)
	if err != nil {
		return answer, err
	}
	request.Header.Set("Authorization", "Bearer "+c.Token)
	if method == http.MethodPost {
		request.Header.Set("Idempotency-Key", key)
	}
	response, err := c.HTTP.Do(request)
	if err != nil {
		return answer, err
	}
	defer response.Body.Close()
	if response.StatusCode >= 300 {
		return answer, &APIError{method, path, response.StatusCode}
	}
	err = json.NewDecoder(response.Body).Decode(&answer)
	return answer, err
}
