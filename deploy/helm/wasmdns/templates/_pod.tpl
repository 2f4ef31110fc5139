{{- define "wasmdns.hasReload" -}}
{{- range .Values.servers -}}{{- range .plugins -}}{{- if eq .name "reload" -}}yes{{- end -}}{{- end -}}{{- end -}}
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
