{{- /* Values that each are right, and not together: one sentence each, and all of them at once. */}}
{{- define "aic.refusals" -}}
{{- $faults := list }}
{{- $redis := include "aic.usesRedis" . }}
{{- $scaling := .Values.autoscaling }}
{{- with .Values }}
{{- if and .redis.url .redis.existingSecret }}
{{- $faults = append $faults "redis.url and redis.existingSecret both say where Redis is: leave one of them out." }}
{{- end }}
{{- if not $redis }}
{{- if or $scaling.keda.enabled $scaling.hpa.enabled }}
{{- $faults = append $faults "autoscaling needs Redis: without it a second pod would have conversations of its own. Set redis.url or redis.existingSecret." }}
{{- end }}
{{- if not .persistence.enabled }}
{{- $faults = append $faults "persistence.enabled=false without Redis would lose every conversation with its pod: set redis.url or redis.existingSecret, or leave persistence.enabled true." }}
{{- end }}
{{- end }}
{{- if and $scaling.keda.enabled $scaling.hpa.enabled }}
{{- $faults = append $faults "autoscaling.keda.enabled and autoscaling.hpa.enabled would both set the number of pods: enable one of them." }}
{{- end }}
{{- if and $scaling.keda.enabled (not $scaling.keda.serverAddress) }}
{{- $faults = append $faults "autoscaling.keda.serverAddress is missing: KEDA asks that Prometheus how many conversations there are." }}
{{- end }}
{{- if gt (int $scaling.minReplicas) (int $scaling.maxReplicas) }}
{{- $faults = append $faults (printf "autoscaling.minReplicas (%d) is above autoscaling.maxReplicas (%d)." (int $scaling.minReplicas) (int $scaling.maxReplicas)) }}
{{- end }}
{{- if and (or $scaling.keda.enabled $scaling.hpa.enabled) (gt (int $scaling.conversationsPerReplica) (int .maxActiveConversations)) }}
{{- $faults = append $faults (printf "autoscaling.conversationsPerReplica (%d) is above maxActiveConversations (%d): conversations would wait while no pod is added." (int $scaling.conversationsPerReplica) (int .maxActiveConversations)) }}
{{- end }}
{{- if and .existingSecretKeys (not .existingSecret) }}
{{- $faults = append $faults "existingSecretKeys names keys of existingSecret, which isn't set." }}
{{- end }}
{{- if and (eq .secretsAs "files") .existingSecret (not .existingSecretKeys) }}
{{- $faults = append $faults "secretsAs=files mounts the keys that existingSecretKeys names: name those of existingSecret that the server is to read." }}
{{- end }}
{{- if and .allowAnonymous .apiKeys.existingSecret }}
{{- $faults = append $faults "allowAnonymous=true lets everybody in, and apiKeys.existingSecret only some: leave one of them out." }}
{{- end }}
{{- if and .allowAnonymous .ingress.enabled (not .ingress.authenticatedElsewhere) }}
{{- $faults = append $faults "ingress.enabled with allowAnonymous=true lets everybody spend at the vendors: use API keys, or set ingress.authenticatedElsewhere=true where something before it asks who is there." }}
{{- end }}
{{- if and .allowAnonymous .gateway.enabled (not .gateway.authenticatedElsewhere) }}
{{- $faults = append $faults "gateway.enabled with allowAnonymous=true lets everybody spend at the vendors: use API keys, or set gateway.authenticatedElsewhere=true where something before it asks who is there." }}
{{- end }}
{{- if and .allowAnonymous (ne .service.type "ClusterIP") }}
{{- $faults = append $faults (printf "service.type=%s with allowAnonymous=true lets everybody outside of the cluster in: use API keys, or service.type=ClusterIP." .service.type) }}
{{- end }}
{{- if and .ingress.enabled (not .ingress.hosts) }}
{{- $faults = append $faults "ingress.enabled needs ingress.hosts, such as [{host: aic.example.org}]." }}
{{- end }}
{{- if and .gateway.enabled (not .gateway.parentRefs) }}
{{- $faults = append $faults "gateway.enabled needs gateway.parentRefs: the Gateways that the route belongs to." }}
{{- end }}
{{- $open := list }}
{{- if .ingress.enabled }}{{ range .ingress.hosts }}{{ $open = append $open .host }}{{ end }}{{ end }}
{{- if .gateway.enabled }}{{ $open = concat $open (default (list "") .gateway.hostnames) }}{{ end }}
{{- range $open }}
{{- if and (or (eq . "") (hasPrefix "*" .)) (not (has "*" $.Values.allowedHosts)) }}
{{- $faults = append $faults (printf "The host %q stands for many, and the server takes names alone: list them in its place, or let any host be named with allowedHosts=[\"*\"]." .) }}
{{- end }}
{{- end }}
{{- if gt (len (include "aic.job" $)) 63 }}
{{- $faults = append $faults (printf "metrics.job is missing: %s is longer than the 63 characters that a label may have." (include "aic.job" $)) }}
{{- end }}
{{- if and .metrics.serviceMonitor.enabled .apiKeys.existingSecret (not .metrics.serviceMonitor.authorization.existingSecret) }}
{{- $faults = append $faults "metrics.serviceMonitor.authorization.existingSecret is missing: with your own API keys, /metrics wants one of the scope metrics:read." }}
{{- end }}
{{- if .networkPolicy.enabled }}
{{- if and $redis (not .networkPolicy.redis.to) }}
{{- $faults = append $faults "networkPolicy.enabled shuts the way to Redis: say in networkPolicy.redis.to where it is, such as [{podSelector: {matchLabels: {app.kubernetes.io/name: redis}}}]." }}
{{- end }}
{{- if and .tracing.endpoint (not .networkPolicy.collector.to) }}
{{- $faults = append $faults "networkPolicy.enabled shuts the way to tracing.endpoint: say in networkPolicy.collector.to where it is." }}
{{- end }}
{{- end }}
{{- if and .mesh.istio.enabled .mesh.linkerd.enabled }}
{{- $faults = append $faults "mesh.istio.enabled and mesh.linkerd.enabled would each put a proxy before the server: enable one of them." }}
{{- end }}
{{- end }}
{{- if and (not $redis) (gt (int .Values.replicaCount) 1) }}
{{- $faults = append $faults (printf "replicaCount=%d needs Redis, by which pods share conversations: set redis.url or redis.existingSecret, or replicaCount=1 for one pod with a volume." (int .Values.replicaCount)) }}
{{- end }}
{{- $least := add (include "aic.preStopSeconds" .) 5 }}
{{- if lt (int (include "aic.graceSeconds" .)) (int $least) }}
{{- $faults = append $faults (printf "terminationGracePeriodSeconds=%d is too short: behind preStopSeconds the server takes up to 5 s to hand its conversations over, %d in all." (int .Values.terminationGracePeriodSeconds) $least) }}
{{- end }}
{{- if $faults }}
{{- fail (printf "\n%s\n" (join "\n" $faults)) }}
{{- end }}
{{- end }}
