//go:build tools

// Package kubestatemetrics pins kube-state-metrics, which the testbed builds from its Go module.
package kubestatemetrics

import _ "k8s.io/kube-state-metrics/v2"
