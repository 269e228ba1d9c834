{{- define "aic.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- /* The release's name where that has the chart's in it, so that `helm install ai-conversation-platform` isn't said twice. */}}
{{- define "aic.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 48 | trimSuffix "-" }}
{{- else if contains (include "aic.name" .) .Release.Name }}
{{- .Release.Name | trunc 48 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "aic.name" .) | trunc 48 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "aic.selectorLabels" -}}
app.kubernetes.io/name: {{ include "aic.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "aic.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "aic.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: {{ .Chart.Name }}
{{- end }}

{{- /* Name, namespace and labels; to be called with the context and what the name ends with. */}}
{{- define "aic.metadata" -}}
{{- $context := index . 0 -}}
name: {{ include "aic.fullname" $context }}{{ index . 1 }}
namespace: {{ $context.Release.Namespace }}
labels:
  {{- include "aic.labels" $context | nindent 2 }}
{{- end }}

{{- define "aic.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "aic.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "aic.image" -}}
{{- with .Values.image }}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ default $.Chart.AppVersion .tag }}{{ end }}
{{- end }}
{{- end }}

{{- /* "true", or nothing. */}}
{{- define "aic.usesRedis" -}}
{{- if or .Values.redis.url .Values.redis.existingSecret }}true{{ end }}
{{- end }}

{{- define "aic.autoscales" -}}
{{- if or .Values.autoscaling.keda.enabled .Values.autoscaling.hpa.enabled }}true{{ end }}
{{- end }}

{{- /* What the pods belong to. */}}
{{- define "aic.workload" -}}
{{- if include "aic.usesRedis" . }}Deployment{{ else }}StatefulSet{{ end }}
{{- end }}

{{- define "aic.makesKeys" -}}
{{- if not (or .Values.apiKeys.existingSecret .Values.allowAnonymous) }}true{{ end }}
{{- end }}

{{- define "aic.makesSecret" -}}
{{- if or .Values.secrets .Values.redis.url }}true{{ end }}
{{- end }}

{{- /* The label `job` of this release's series. An external metric is selected by it, so that it is the value of a label. */}}
{{- define "aic.job" -}}
{{- default (printf "%s.%s" .Release.Namespace (include "aic.fullname" .)) .Values.metrics.job }}
{{- end }}

{{- /* Every host that requests may name, joined by commas. Prometheus and probes name the pod's address. */}}
{{- define "aic.hosts" -}}
{{- $name := include "aic.fullname" . }}
{{- $namespace := .Release.Namespace }}
{{- $hosts := list "$(POD_IP)" $name (printf "%s.%s" $name $namespace) (printf "%s.%s.svc" $name $namespace) (printf "%s.%s.svc.cluster.local" $name $namespace) }}
{{- if .Values.ingress.enabled }}{{ range .Values.ingress.hosts }}{{ $hosts = append $hosts .host }}{{ end }}{{ end }}
{{- if .Values.gateway.enabled }}{{ $hosts = concat $hosts .Values.gateway.hostnames }}{{ end }}
{{- $hosts := concat $hosts .Values.allowedHosts }}
{{- if has "*" $hosts }}*{{ else }}{{ $hosts | uniq | join "," }}{{ end }}
{{- end }}

{{- /* Where the server's secrets are, with `secretsAs: files`. */}}
{{- define "aic.secretsFolder" -}}/etc/aic/secrets{{- end }}
{{- define "aic.keysFolder" -}}/etc/aic/api-keys{{- end }}

{{- /* Seconds between the start of leaving and the signal. Alone there is nobody to send to meanwhile. */}}
{{- define "aic.preStopSeconds" -}}
{{- if include "aic.usesRedis" . }}{{ .Values.preStopSeconds }}{{ else }}0{{ end }}
{{- end }}

{{- define "aic.graceSeconds" -}}
{{- if .Values.terminationGracePeriodSeconds }}
{{- .Values.terminationGracePeriodSeconds }}
{{- else }}
{{- add (include "aic.preStopSeconds" .) 10 }}
{{- end }}
{{- end }}
