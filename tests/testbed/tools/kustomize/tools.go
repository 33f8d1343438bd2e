//go:build tools

// Keeps the module in go.mod: what is built is its own main package.
package tools

import _ "sigs.k8s.io/kustomize/kustomize/v5"
