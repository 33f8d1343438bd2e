# TLS to the API with a private authority: refused without it, trusted by caConfigMap
. tests/e2e/lib.sh
tls=$WORK/tls
mkdir -p "$tls"
host=qoder-simulator-tls.qoder-operator.svc
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj '/CN=e2e authority' \
  -addext basicConstraints=critical,CA:TRUE -keyout "$tls/ca.key" -out "$tls/ca.pem" 2>/dev/null
openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$host" -keyout "$tls/key.pem" -out "$tls/request.pem" 2>/dev/null
openssl x509 -req -in "$tls/request.pem" -CA "$tls/ca.pem" -CAkey "$tls/ca.key" -CAcreateserial -days 2 -out "$tls/cert.pem" \
  -extfile <(printf 'subjectAltName=DNS:%s\nbasicConstraints=CA:FALSE\n' "$host") 2>/dev/null
op create secret tls qoder-simulator-tls --cert "$tls/cert.pem" --key "$tls/key.pem" >/dev/null
op create configmap private-authority --from-file=ca.pem="$tls/ca.pem" >/dev/null
op apply --filename tests/e2e/simulator-tls.yaml >/dev/null
trap 'op delete --filename tests/e2e/simulator-tls.yaml && op delete secret/qoder-simulator-tls configmap/private-authority' EXIT
op rollout status deployment/qoder-simulator-tls --timeout=60s >/dev/null
# Its control API is apart, over http.
simulator=qoder-simulator-tls:control
deployments a
resource a paused=true

url=https://$host:8443/api/v1/cloud
operator --set config.baseUrl=$url
reason a RemoteUnavailable
k get qdep a --output 'jsonpath={.status.conditions[?(@.type=="Ready")].message}' | grep --quiet 'the TLS handshake failed' ||
  fail "the message does not say that it is TLS"
SETTLE_MS=1 expect_writes

operator --set config.baseUrl=$url --set caConfigMap=private-authority
ready a
expect_writes 'pause a 200'
op exec deployment/qoder-operator -- /qoder-operator check >/dev/null
