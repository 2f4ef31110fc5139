{{- define "wasmdns.hasReload" -}}
{{- range .Values.servers -}}{{- range .plugins -}}{{- if eq .name "reload" -}}yes{{- end -}}{{- end -}}{{- end -}}
{{- end -}}

{{/* The values' environment, and how long an ending pod serves on: what its grace period leaves beside the end of open queries. */}}
{{- define "wasmdns.env" -}}
{{- $grace := int (.Values.terminationGracePeriodSeconds | default 30) }}
{{- $drain := dict "name" "WASMDNS_DRAIN_SECONDS" "value" (ternary (sub $grace 10) (sub $grace 2 | max 0) (gt $grace 40) | toString) }}
{{- $env := list $drain }}
{{- $own := .Values.env | default list }}
{{- range $own }}
{{- if eq .name $drain.name }}
{{- $env = rest $env }}
{{- end }}
{{- end }}
{{- concat $env $own | toYaml }}
{{- end -}}

{{/* What a pod's spec says beside its containers and volumes. */}}
{{- define "wasmdns.podSettings" -}}
serviceAccountName: {{ include "wasmdns.serviceAccountName" . }}
{{- if eq (.Values.automountServiceAccountToken | toString) "false" }}
automountServiceAccountToken: false
{{- end }}
{{- with .Values.terminationGracePeriodSeconds }}
terminationGracePeriodSeconds: {{ . }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- if .Values.isClusterService }}
dnsPolicy: {{ .Values.deployment.dnsPolicy }}
{{- end }}
{{- range $key, $value := dict "dnsConfig" .Values.deployment.dnsConfig "securityContext" .Values.podSecurityContext "tolerations" .Values.tolerations "nodeSelector" .Values.nodeSelector "imagePullSecrets" .Values.image.pullSecrets "initContainers" .Values.initContainers }}
{{- if $value }}
{{ $key }}:
  {{- toYaml $value | nindent 2 }}
{{- end }}
{{- end }}
{{- range $key := list "affinity" "topologySpreadConstraints" }}
{{- with get $.Values $key }}
{{ $key }}:
  {{- tpl (toYaml .) $ | nindent 2 }}
{{- end }}
{{- end }}
{{- end -}}
