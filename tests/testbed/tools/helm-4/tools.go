//go:build tools

// Keeps the module in go.mod: what is built is its own main package.
package tools

import _ "helm.sh/helm/v4/cmd/helm"
