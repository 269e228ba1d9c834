{{- /* How many conversations run or wait. Each instance says the same of all, so that one that answers is enough, and none
is counted twice while it goes from one pod to another. Without Redis's answer there is no number, and nothing changes. */}}
{{- define "aic.conversationsQuery" -}}
sum(max by (state) (ai_queue_jobs{job={{ include "aic.job" . | quote }},state=~"waiting|active"}))
{{- end }}

{{- /* How many streams are open on all of them. */}}
{{- define "aic.streamsQuery" -}}
sum(ai_stream_clients{job={{ include "aic.job" . | quote }}})
{{- end }}

{{- /* Up at once; down one after the other, and only to what sufficed for the whole time before. */}}
{{- define "aic.scalingBehavior" -}}
{{- with .Values.autoscaling -}}
scaleUp:
  stabilizationWindowSeconds: 0
  selectPolicy: Max
  policies:
    - { type: Percent, value: 100, periodSeconds: 60 }
    - { type: Pods, value: {{ .scaleUp.podsPerMinute }}, periodSeconds: 60 }
scaleDown:
  stabilizationWindowSeconds: {{ .scaleDown.stabilizationSeconds }}
  selectPolicy: Max
  policies:
    - { type: Pods, value: 1, periodSeconds: {{ .scaleDown.secondsPerPod }} }
{{- end }}
{{- end }}
