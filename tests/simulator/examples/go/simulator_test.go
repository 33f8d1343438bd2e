package deployments

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// baseURL is where the simulator of all tests serves.
var baseURL string

func TestMain(m *testing.M) {
	stop, err := start()
	if err != nil {
		fmt.Fprintln(os.Stderr, "the simulator does not start:", err)
		os.Exit(1)
	}
	code := m.Run()
	stop()
	os.Exit(code)
}

// start takes the simulator that runs at QODER_SIMULATOR_URL, or starts one.
func start() (stop func(), err error) {
	if baseURL = os.Getenv("QODER_SIMULATOR_URL"); baseURL != "" {
		return func() {}, nil
	}
	binary := os.Getenv("QODER_SIMULATOR")
	if binary == "" {
		binary = "qoder-simulator"
	}
	command := exec.Command(binary)
	command.Stderr = os.Stderr
	stdout, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := command.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	baseURL = strings.TrimSpace(line)
	return func() {
		command.Process.Kill()
		command.Wait()
	}, err
}

type object = map[string]any

// account is an account of the simulator: a test that has its own disturbs no other.
type account struct {
	t     *testing.T
	token string
	url   string // of its control API
}

// newAccount makes an account with these deployments, the oldest first. It is dropped when the test ends.
func newAccount(t *testing.T, deployments ...object) *account {
	t.Helper()
	name := "test-" + rand.Text()
	a := &account{t: t, token: "pt-" + name, url: strings.Replace(baseURL, "/api/v1/cloud", "/_sim/accounts", 1)}
	a.control("POST", "", object{"name": name, "token": a.token, "deployments": deployments})
	a.url += "/" + name
	t.Cleanup(func() { a.control("DELETE", "", nil) })
	return a
}

// request makes a request behind the client's back, and returns the answer, or the text of a refusal.
func (a *account) request(method, path string, body any) (answer []byte, refusal string) {
	a.t.Helper()
	sent, err := json.Marshal(body)
	if err != nil {
		a.t.Fatal(err)
	}
	if body == nil {
		sent = nil
	}
	request, err := http.NewRequest(method, a.url+path, bytes.NewReader(sent))
	if err != nil {
		a.t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		a.t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err = io.ReadAll(response.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	if response.StatusCode == http.StatusOK {
		return answer, ""
	}
	var refused struct{ Error string }
	if err := json.Unmarshal(answer, &refused); err != nil {
		a.t.Fatal(err)
	}
	return nil, refused.Error
}

// control makes a request behind the client's back that is not to be refused.
func (a *account) control(method, path string, body any) []byte {
	a.t.Helper()
	answer, refusal := a.request(method, path, body)
	if refusal != "" {
		a.t.Fatalf("%s %s: %s", method, path, refusal)
	}
	return answer
}

// read reads what a control request answers.
func read[T any](a *account, path string) (answer T) {
	a.t.Helper()
	if err := json.Unmarshal(a.control("GET", path, nil), &answer); err != nil {
		a.t.Fatal(err)
	}
	return answer
}

func (a *account) inject(fault object) {
	a.t.Helper()
	a.control("POST", "/faults", fault)
}

// difference is a readable one, or none if these calls were made in this order, and no others.
func (a *account) difference(calls ...object) string {
	a.t.Helper()
	if calls == nil {
		calls = []object{} // in JSON, nil would be null
	}
	_, refusal := a.request("POST", "/verify", object{"calls": calls, "order": "as_given"})
	return refusal
}

func (a *account) verify(calls ...object) {
	a.t.Helper()
	if difference := a.difference(calls...); difference != "" {
		a.t.Error(difference)
	}
}
