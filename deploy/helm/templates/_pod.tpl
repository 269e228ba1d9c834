{{- /* The variables of the server. What stands here wins over what comes from Secrets and the ConfigMap as a whole. */}}
{{- define "aic.environment" -}}
{{- $secrets := include "aic.secretsFolder" . }}
- name: POD_NAME
  valueFrom: { fieldRef: { fieldPath: metadata.name } }
- name: POD_IP
  valueFrom: { fieldRef: { fieldPath: status.podIP } }
- { name: HOST, value: 0.0.0.0 }
- { name: PORT, value: "8080" }
- { name: DATA_DIR, value: /data }
- name: MAX_ACTIVE_CONVERSATIONS
  value: {{ int .Values.maxActiveConversations | quote }}
- name: ALLOWED_HOSTS
  value: {{ include "aic.hosts" . | quote }}
{{- with .Values.allowedOrigins }}
- name: ALLOWED_ORIGINS
  value: {{ join "," . | quote }}
{{- end }}
{{- if .Values.allowAnonymous }}
- { name: ALLOW_ANONYMOUS, value: "true" }
{{- else }}
- name: API_KEYS_FILE
  value: {{ printf "%s/%s" (include "aic.keysFolder" .) (ternary "api-keys.json" .Values.apiKeys.existingSecretKey (eq (include "aic.makesKeys" .) "true")) }}
{{- end }}
{{- if include "aic.usesRedis" . }}
{{- if eq .Values.secretsAs "files" }}
- name: REDIS_URL_FILE
  value: {{ $secrets }}/REDIS_URL
{{- else }}
- name: REDIS_URL
  valueFrom:
    secretKeyRef:
      name: {{ default (include "aic.fullname" .) .Values.redis.existingSecret }}
      key: {{ ternary .Values.redis.existingSecretKey "REDIS_URL" (ne .Values.redis.existingSecret "") }}
{{- end }}
{{- end }}
{{- if eq .Values.secretsAs "files" }}
{{- range concat (keys .Values.secrets) .Values.existingSecretKeys | uniq | sortAlpha }}
- name: {{ . }}_FILE
  value: {{ $secrets }}/{{ . }}
{{- end }}
{{- end }}
{{- with .Values.tracing.endpoint }}
- name: OTEL_EXPORTER_OTLP_ENDPOINT
  value: {{ . }}
- name: OTEL_RESOURCE_ATTRIBUTES
  value: service.instance.id=$(POD_NAME),k8s.pod.name=$(POD_NAME),k8s.namespace.name={{ $.Release.Namespace }}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "aic.environmentFrom" -}}
{{- with .Values.config }}
- configMapRef: { name: {{ include "aic.fullname" $ }} }
{{- end }}
{{- if eq .Values.secretsAs "environment" }}
{{- with .Values.secrets }}
- secretRef: { name: {{ include "aic.fullname" $ }} }
{{- end }}
{{- with .Values.existingSecret }}
- secretRef: { name: {{ . }} }
{{- end }}
{{- end }}
{{- end }}

{{- /* Folders and not single files, so that what changes in a Secret changes in a pod that runs. */}}
{{- define "aic.volumes" -}}
- name: tmp
  emptyDir: { sizeLimit: {{ .Values.scratch.temporarySize }} }
{{- if include "aic.usesRedis" . }}
- name: data
  emptyDir: { sizeLimit: {{ .Values.scratch.dataSize }} }
{{- else if .Values.persistence.existingClaim }}
- name: data
  persistentVolumeClaim: { claimName: {{ .Values.persistence.existingClaim }} }
{{- end }}
{{- if not .Values.allowAnonymous }}
- name: api-keys
  secret:
    secretName: {{ default (printf "%s-api-keys" (include "aic.fullname" .)) .Values.apiKeys.existingSecret }}
    defaultMode: 0440
    {{- $key := ternary "api-keys.json" .Values.apiKeys.existingSecretKey (eq (include "aic.makesKeys" .) "true") }}
    items: [{ key: {{ $key }}, path: {{ $key }} }]
{{- end }}
{{- if and (eq .Values.secretsAs "files") (or (include "aic.usesRedis" .) .Values.secrets .Values.existingSecret) }}
- name: secrets
  projected:
    defaultMode: 0440
    sources:
      {{- if include "aic.makesSecret" . }}
      - secret: { name: {{ include "aic.fullname" . }} }
      {{- end }}
      {{- with .Values.redis.existingSecret }}
      - secret:
          name: {{ . }}
          items: [{ key: {{ $.Values.redis.existingSecretKey }}, path: REDIS_URL }]
      {{- end }}
      {{- with .Values.existingSecret }}
      - secret:
          name: {{ . }}
          items:
            {{- range $.Values.existingSecretKeys }}
            - { key: {{ . }}, path: {{ . }} }
            {{- end }}
      {{- end }}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "aic.mounts" -}}
- { name: tmp, mountPath: /tmp }
- { name: data, mountPath: /data }
{{- if not .Values.allowAnonymous }}
- { name: api-keys, mountPath: {{ include "aic.keysFolder" . }}, readOnly: true }
{{- end }}
{{- if and (eq .Values.secretsAs "files") (or (include "aic.usesRedis" .) .Values.secrets .Values.existingSecret) }}
- { name: secrets, mountPath: {{ include "aic.secretsFolder" . }}, readOnly: true }
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- /* A proxy that begins before the server and ends after it, so that what is handed over gets through. */}}
{{- define "aic.meshAnnotations" -}}
{{- if .Values.mesh.istio.enabled }}
sidecar.istio.io/nativeSidecar: "true"
{{- end }}
{{- if .Values.mesh.linkerd.enabled }}
linkerd.io/inject: enabled
config.linkerd.io/proxy-await: enabled
config.beta.linkerd.io/proxy-enable-native-sidecar: "true"
{{- end }}
{{- end }}

{{- /* The same pod for both kinds of workload. */}}
{{- define "aic.pod" -}}
metadata:
  labels:
    {{- include "aic.labels" . | nindent 4 }}
    {{- if .Values.mesh.istio.enabled }}
    sidecar.istio.io/inject: "true"
    {{- end }}
    {{- with .Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    {{- /* Variables are read at the start alone, so that another value is another pod. */}}
    checksum/values: {{ print (toJson .Values.config) (toJson .Values.secrets) .Values.redis.url | sha256sum }}
    {{- with include "aic.meshAnnotations" . }}
    {{- . | trim | nindent 4 }}
    {{- end }}
    {{- with .Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "aic.serviceAccountName" . }}
  automountServiceAccountToken: false
  # A Service named like a variable of the server would set it.
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ include "aic.graceSeconds" . }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 1000
    runAsGroup: 1000
    fsGroup: 1000
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile: { type: RuntimeDefault }
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with .Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if .Values.topologySpreadConstraints }}
  topologySpreadConstraints:
    {{- toYaml .Values.topologySpreadConstraints | nindent 4 }}
  {{- else if include "aic.usesRedis" . }}
  topologySpreadConstraints:
    {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
    - maxSkew: 1
      topologyKey: {{ . }}
      whenUnsatisfiable: ScheduleAnyway
      matchLabelKeys: [pod-template-hash]
      labelSelector:
        matchLabels:
          {{- include "aic.selectorLabels" $ | nindent 10 }}
    {{- end }}
  {{- end }}
  containers:
    - name: server
      image: {{ include "aic.image" . }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: { drop: [ALL] }
      ports:
        - { name: http, containerPort: 8080, protocol: TCP }
      env:
        {{- include "aic.environment" . | trim | nindent 8 }}
      {{- with include "aic.environmentFrom" . | trim }}
      envFrom:
        {{- . | nindent 8 }}
      {{- end }}
      # A minute to start: with 100,000 conversations it takes about one second.
      startupProbe:
        httpGet: { path: /livez, port: http }
        periodSeconds: 1
        timeoutSeconds: 5
        failureThreshold: 60
      # Half a minute without an answer. It isn't asked whether Redis is there: a restart mends nothing of that.
      livenessProbe:
        httpGet: { path: /livez, port: http }
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 3
      readinessProbe:
        httpGet: { path: /readyz, port: http }
        periodSeconds: 5
        timeoutSeconds: 3
        failureThreshold: 2
      {{- $preStop := include "aic.preStopSeconds" . }}
      {{- if ne $preStop "0" }}
      # Whoever sends requests learns that this pod leaves while it still answers; then comes SIGTERM.
      lifecycle:
        preStop:
          sleep: { seconds: {{ $preStop }} }
      {{- end }}
      resources:
        {{- toYaml .Values.resources | nindent 8 }}
      volumeMounts:
        {{- include "aic.mounts" . | trim | nindent 8 }}
  volumes:
    {{- include "aic.volumes" . | trim | nindent 4 }}
{{- end }}
