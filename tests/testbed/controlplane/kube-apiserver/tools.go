//go:build tools

// Package kubeapiserver pins the real kube-apiserver, which the testbed builds from its Go module.
package kubeapiserver

import _ "k8s.io/kubernetes/cmd/kube-apiserver"
