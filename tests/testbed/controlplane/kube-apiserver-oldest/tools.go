//go:build tools

// Package kubeapiserver pins the kube-apiserver of the oldest Kubernetes that is supported: `make compat`.
package kubeapiserver

import _ "k8s.io/kubernetes/cmd/kube-apiserver"
