{{/* The name of all objects. The longest suffix behind it is -lease. */}}
{{- define "qoder-operator.name" -}}
{{- $byRelease := ternary .Release.Name (printf "%s-qoder-operator" .Release.Name) (contains "qoder-operator" .Release.Name) }}
{{- .Values.fullnameOverride | default $byRelease | trunc 57 | trimSuffix "-" }}
{{- end }}

{{- define "qoder-operator.labels" -}}
app.kubernetes.io/name: qoder-operator
app.kubernetes.io/instance: {{ toYaml .Release.Name }}
app.kubernetes.io/part-of: qoder-operator
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{/* What selects the operator's Pods. */}}
{{- define "qoder-operator.selector" -}}
app.kubernetes.io/name: qoder-operator
app.kubernetes.io/instance: {{ toYaml .Release.Name }}
app.kubernetes.io/component: operator
{{- end }}

{{- define "qoder-operator.serviceAccount" -}}
{{- $own := ternary (include "qoder-operator.name" .) "default" .Values.serviceAccount.create }}
{{- .Values.serviceAccount.name | default $own }}
{{- end }}

{{/* What the Pods of the Deployment and of the test have in common. */}}
{{- define "qoder-operator.pod" -}}
serviceAccountName: {{ include "qoder-operator.serviceAccount" . | toYaml }}
automountServiceAccountToken: true
# A variable per Service of the namespace could only be mistaken for a flag's.
enableServiceLinks: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 0 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 0 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ toYaml . }}
{{- end }}
securityContext:
  runAsNonRoot: true
  {{- if and .Values.userId (not (.Capabilities.APIVersions.Has "security.openshift.io/v1")) }}
  runAsUser: {{ int .Values.userId }}
  runAsGroup: {{ int .Values.userId }}
  fsGroup: {{ int .Values.userId }} # may read the token
  {{- end }}
  seccompProfile:
    type: RuntimeDefault
volumes:
- name: token
  secret:
    secretName: {{ toYaml .Values.token.secretName }}
    defaultMode: 288 # 0440; not every YAML reader takes that for octal
    # Without it the operator runs, and each resource says CredentialMissing and what to do.
    optional: true
    items:
    - key: {{ toYaml .Values.token.secretKey }}
      path: token
{{- with .Values.caConfigMap }}
- name: ca
  configMap:
    name: {{ toYaml . }}
{{- end }}
{{- end }}

{{/* What their containers have in common. */}}
{{- define "qoder-operator.container" -}}
{{- $image := .Values.image }}
{{- $version := printf ":%s" (.Values.image.tag | default .Chart.AppVersion) }}
{{- $version = ternary $version (printf "@%s" $image.digest) (empty $image.digest) }}
image: {{ printf "%s/%s%s" $image.registry $image.repository $version | trimPrefix "/" | toYaml }}
{{- with $image.pullPolicy }}
imagePullPolicy: {{ . }}
{{- end }}
# Flags are set by their variables, so that a plain qoder-operator check in the Pod takes the same.
env:
- name: QODER_TOKEN_FILE
  value: /etc/qoder/token
- name: QODER_LEADER_ELECT
  value: "true"
{{- if ne (include "qoder-operator.name" .) "qoder-operator" }}
- name: QODER_LEASE_NAME
  value: {{ include "qoder-operator.name" . }}
{{- end }}
{{- with .Values.namespaces }}
- name: QODER_NAMESPACES
  value: {{ join "," . | quote }}
{{- end }}
{{- range $flag, $value := .Values.config }}
{{- with $value }}
- name: QODER_{{ $flag | snakecase | upper }}
  value: {{ . | quote }}
{{- end }}
{{- end }}
{{- with .Values.logLevel }}
- name: RUST_LOG
  value: {{ . | quote }}
{{- end }}
{{- range $name, $value := dict "HTTPS_PROXY" .Values.proxy.https "HTTP_PROXY" .Values.proxy.http "NO_PROXY" .Values.proxy.exceptFor }}
{{- with $value }}
- name: {{ $name }}
  value: {{ . | quote }}
{{- end }}
{{- end }}
{{- if .Values.caConfigMap }}
- name: SSL_CERT_DIR
  value: /etc/ssl/certs:/etc/qoder-ca
{{- end }}
{{- with .Values.extraEnv }}
{{- toYaml . | nindent 0 }}
{{- end }}
{{- with .Values.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
volumeMounts:
# The folder, not the file by subPath: a file by subPath would never be renewed.
- name: token
  mountPath: /etc/qoder
  readOnly: true
{{- if .Values.caConfigMap }}
- name: ca
  mountPath: /etc/qoder-ca
  readOnly: true
{{- end }}
{{- end }}
