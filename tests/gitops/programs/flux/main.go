// Applies resources as Flux's kustomize-controller does: by its library, with its options. The resources are a JSON
// array on standard input; the cluster is the one of KUBECONFIG. It prints what became of each.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/fluxcd/pkg/ssa"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	options := ssa.DefaultApplyOptions()
	options.ForceSelector = map[string]string{"kustomize.toolkit.fluxcd.io/force": "enabled"}
	// Whose fields become Flux's own, so that its next apply undoes what it does not name.
	for _, operation := range []metav1.ManagedFieldsOperationType{
		metav1.ManagedFieldsOperationApply, metav1.ManagedFieldsOperationUpdate,
	} {
		options.Cleanup.FieldManagers = append(options.Cleanup.FieldManagers,
			ssa.FieldManager{Name: "kubectl", OperationType: operation})
	}
	options.Cleanup.FieldManagers = append(options.Cleanup.FieldManagers,
		ssa.FieldManager{Name: "before-first-apply", OperationType: metav1.ManagedFieldsOperationUpdate},
		ssa.FieldManager{Name: "kustomize-controller", OperationType: metav1.ManagedFieldsOperationUpdate})
	options.Cleanup.Annotations = []string{"kubectl.kubernetes.io/last-applied-configuration"}
	options.Cleanup.Exclusions = map[string]string{"kustomize.toolkit.fluxcd.io/ssa": "Merge"}

	var objects []*unstructured.Unstructured
	if err := json.NewDecoder(os.Stdin).Decode(&objects); err != nil {
		return fmt.Errorf("the resources: %w", err)
	}
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		return err
	}
	cluster, err := client.New(config, client.Options{})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	manager := ssa.NewResourceManager(cluster, nil, ssa.Owner{Field: "kustomize-controller"})
	changes, err := manager.ApplyAll(ctx, objects, options)
	if err != nil {
		return err
	}
	for _, change := range changes.Entries {
		fmt.Println(change.Action)
	}
	return nil
}
