package deployments

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// begin gives a test an account with the deployments dep_1, the oldest, to dep_5, and a client of it.
func begin(t *testing.T) (*account, *Client) {
	t.Helper()
	t.Parallel()
	var deployments []object
	for n := range 5 {
		schedule := object{"expression": "0 3 * * *", "timezone": "UTC"}
		deployments = append(deployments, object{"id": fmt.Sprintf("dep_%d", n+1), "schedule": schedule})
	}
	a := newAccount(t, deployments...)
	client := &Client{BaseURL: baseURL, Token: a.token, HTTP: &http.Client{}, Wait: 10 * time.Millisecond}
	return a, client
}

func wantStatus(t *testing.T, deployment Deployment, err error, want string) {
	t.Helper()
	if err != nil || deployment.Status != want {
		t.Fatalf("got %q and %v, want %q", deployment.Status, err, want)
	}
}

func wantRefusal(t *testing.T, err error, want int) {
	t.Helper()
	var refusal *APIError
	if !errors.As(err, &refusal) || refusal.Status != want {
		t.Fatalf("got %v, want the status %d", err, want)
	}
}

func TestAPauseReachesTheDeployment(t *testing.T) {
	a, client := begin(t)
	deployment, err := client.Pause(t.Context(), "dep_1")
	wantStatus(t, deployment, err, "paused")

	if got := read[Deployment](a, "/deployments/dep_1").PausedReason; got == nil || got.Type != "manual" {
		t.Errorf("it is paused for the reason %+v", got)
	}
	wantStatus(t, read[Deployment](a, "/deployments/dep_2"), nil, "active")
	a.verify(object{"operation": "pause", "id": "dep_1", "status": 200})
}

func TestACallThatWasNotExpectedIsTold(t *testing.T) {
	a, client := begin(t)
	deployment, err := client.Pause(t.Context(), "dep_1")
	wantStatus(t, deployment, err, "paused")

	got := a.difference(object{"operation": "get", "id": "dep_2"})
	if want := "\n- get dep_2\n+ pause dep_1 200 with effect"; !strings.Contains(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestWhatSomebodyElseHasPausedIsPaused(t *testing.T) {
	a, client := begin(t)
	a.control("POST", "/deployments/dep_1/pause", nil)

	deployment, err := client.Pause(t.Context(), "dep_1")
	wantStatus(t, deployment, err, "paused")
	a.verify(
		object{"operation": "pause", "id": "dep_1", "status": 409, "effect": false},
		object{"operation": "get", "id": "dep_1", "status": 200},
	)
}

func TestAnArchivedDeploymentCannotBePaused(t *testing.T) {
	a, client := begin(t)
	a.control("POST", "/deployments/dep_1/archive", nil)

	_, err := client.Pause(t.Context(), "dep_1")
	wantRefusal(t, err, http.StatusConflict)
}

func TestAPauseWhoseAnswerIsLostIsDoneOnce(t *testing.T) {
	a, client := begin(t)
	a.inject(object{"operation": "pause", "action": "reset_after"})

	deployment, err := client.Pause(t.Context(), "dep_1")
	wantStatus(t, deployment, err, "paused")
	a.verify(
		object{"operation": "pause", "effect": true},
		object{"operation": "pause", "status": 200, "effect": false},
	)
	type entry struct{ Headers map[string]string }
	entries := read[[]entry](a, "/journal?operation=pause")
	first, second := entries[0].Headers["idempotency-key"], entries[1].Headers["idempotency-key"]
	if first == "" || first != second {
		t.Errorf("the keys are %q and %q", first, second)
	}
}

func TestABusyGatewayIsAskedAgain(t *testing.T) {
	a, client := begin(t)
	busy := object{"respond": object{"status": 503, "body": "<html>busy</html>"}}
	a.inject(object{"operation": "unpause", "sequence": []object{busy, busy}})
	a.control("POST", "/deployments/dep_1/pause", nil)

	// The client works by itself, and the test waits for what comes of it.
	done := make(chan error, 1)
	go func() {
		_, err := client.Unpause(t.Context(), "dep_1")
		done <- err
	}()
	deployment := read[Deployment](a, "/deployments/dep_1?until=active&timeout_ms=20000")
	wantStatus(t, deployment, <-done, "active")
	a.verify(
		object{"operation": "unpause", "status": 503},
		object{"operation": "unpause", "status": 503},
		object{"operation": "unpause", "status": 200},
	)
}

func TestALateAnswerIsNotWaitedFor(t *testing.T) {
	a, client := begin(t)
	a.inject(object{"operation": "pause", "action": object{"delay_ms": 60_000}})

	client.HTTP.Timeout = 3 * time.Second
	deployment, err := client.Pause(t.Context(), "dep_1")
	wantStatus(t, deployment, err, "paused")
	a.verify(
		object{"operation": "pause", "effect": false},
		object{"operation": "pause", "status": 200, "effect": true},
	)
}

func TestWhatIsCancelledIsNotTriedAgain(t *testing.T) {
	a, client := begin(t)
	a.inject(object{"operation": "pause", "action": "hang_before"})

	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := client.Pause(ctx, "dep_1")
		done <- err
	}()
	a.control("GET", "/journal?operation=pause&count=1", nil) // until it has arrived
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	a.verify(object{"operation": "pause", "effect": false})
}

func TestAListHasTheDeploymentsOfAllPages(t *testing.T) {
	a, client := begin(t)
	// The second page is refused once. That does not begin the list anew.
	a.inject(object{"operation": "list", "skip": 1, "action": object{"respond": object{"status": 429}}})

	var ids []string
	for deployment, err := range client.List(t.Context(), 2) {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, deployment.ID)
	}
	if want := []string{"dep_5", "dep_4", "dep_3", "dep_2", "dep_1"}; !slices.Equal(ids, want) {
		t.Errorf("got %v, want %v", ids, want)
	}
	a.verify(
		object{"operation": "list", "status": 200},
		object{"operation": "list", "status": 429},
		object{"operation": "list", "status": 200},
		object{"operation": "list", "status": 200},
	)
}

func TestAScheduledRunThatFailsPausesTheDeployment(t *testing.T) {
	a, client := begin(t)
	three := time.Date(2100, 1, 1, 3, 0, 0, 0, time.UTC)
	a.control("POST", "/clock", object{"now": three.Add(-time.Minute), "held": true})
	deployment, err := client.Get(t.Context(), "dep_1")
	wantStatus(t, deployment, err, "active")
	if next := deployment.Schedule.UpcomingRunsAt[0]; !next.Equal(three) {
		t.Errorf("the next run is at %v", next)
	}

	a.control("POST", "/clock", object{"advance_ms": time.Minute.Milliseconds()})
	a.control("POST", "/deployments/dep_1/run", object{"outcome": object{"failed": "agent_archived_error"}})

	deployment, err = client.Get(t.Context(), "dep_1")
	wantStatus(t, deployment, err, "paused")
	if why := deployment.PausedReason; why.Type != "error" || why.Error.Type != "agent_archived_error" {
		t.Errorf("it is paused for the reason %+v", why)
	}
	var runs []Run
	for run, err := range client.Runs(t.Context(), "dep_1", 100) {
		if err != nil {
			t.Fatal(err)
		}
		runs = append(runs, run)
	}
	if len(runs) != 1 || !runs[0].CreatedAt.Equal(three) || runs[0].Error.Type != "agent_archived_error" {
		t.Errorf("the runs are %+v", runs)
	}
	deployment, err = client.Unpause(t.Context(), "dep_1")
	wantStatus(t, deployment, err, "active")
}

func TestARejectedTokenIsNotTriedAgainAndAResetBeginsAnew(t *testing.T) {
	a, client := begin(t)
	a.inject(object{"operation": "pause", "times": nil, "action": object{"respond": object{"status": 401}}})

	_, err := client.Pause(t.Context(), "dep_1")
	wantRefusal(t, err, http.StatusUnauthorized)
	a.verify(object{"operation": "pause", "status": 401})

	a.control("POST", "/reset", nil)
	a.verify()
	deployment, err := client.Pause(t.Context(), "dep_1")
	wantStatus(t, deployment, err, "paused")
}
