// Says of resources what Argo CD, Flux and Helm would say of them. The resources are a JSON array on standard
// input; the answers are one on standard output, in the same order.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"github.com/fluxcd/pkg/apis/kustomize"
	"github.com/fluxcd/pkg/runtime/cel"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const usage = `usage: evaluator kstatus
       evaluator expressions JSON  (what stands in a Kustomization's healthCheckExprs)
       evaluator lua SCRIPT        (what a health, discovery or action script returns)`

type verdict func(*unstructured.Unstructured) (any, error)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	verdict, err := find(args)
	if err != nil {
		return err
	}
	var objects []json.RawMessage
	if err := json.NewDecoder(os.Stdin).Decode(&objects); err != nil {
		return fmt.Errorf("the resources: %w", err)
	}
	answers := make([]any, 0, len(objects))
	for _, text := range objects {
		// As a client has it: whole numbers are int64.
		object := &unstructured.Unstructured{}
		if err := object.UnmarshalJSON(text); err != nil {
			return fmt.Errorf("a resource: %w", err)
		}
		answer, err := verdict(object)
		if err != nil {
			return fmt.Errorf("%s: %w", object.GetName(), err)
		}
		answers = append(answers, answer)
	}
	return json.NewEncoder(os.Stdout).Encode(answers)
}

func find(args []string) (verdict, error) {
	switch {
	case len(args) == 1 && args[0] == "kstatus":
		return func(object *unstructured.Unstructured) (any, error) {
			result, err := status.Compute(object)
			if err != nil {
				return nil, err
			}
			return result.Status, nil
		}, nil
	case len(args) == 2 && args[0] == "expressions":
		return expressions(args[1])
	case len(args) == 2 && args[0] == "lua":
		return func(object *unstructured.Unstructured) (any, error) {
			return runLua(args[1], object.Object)
		}, nil
	}
	return nil, fmt.Errorf("%s", usage)
}

// expressions is Flux's own evaluation of health check expressions.
func expressions(text string) (verdict, error) {
	var check kustomize.CustomHealthCheck
	if err := json.Unmarshal([]byte(text), &check); err != nil {
		return nil, fmt.Errorf("the expressions: %w", err)
	}
	evaluator, err := cel.NewStatusEvaluator(&check.HealthCheckExpressions)
	if err != nil {
		return nil, err
	}
	return func(object *unstructured.Unstructured) (any, error) {
		result, err := evaluator.Evaluate(context.Background(), object)
		if err != nil {
			return nil, err
		}
		return result.Status, nil
	}, nil
}
