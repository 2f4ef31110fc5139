{{/* Names and labels. nameOverride, fullnameOverride and k8sAppLabelOverride mean what they mean in the chart of CoreDNS. */}}

{{- define "wasmdns.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "wasmdns.fullname" -}}
{{- $name := include "wasmdns.name" . -}}
{{- $full := contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name) -}}
{{- .Values.fullnameOverride | default $full | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "wasmdns.deploymentName" -}}
{{- .Values.deployment.name | default (include "wasmdns.fullname" .) -}}
{{- end -}}

{{- define "wasmdns.serviceName" -}}
{{- .Values.service.name | default (include "wasmdns.fullname" .) -}}
{{- end -}}

{{- define "wasmdns.clusterRoleName" -}}
{{- .Values.clusterRole.nameOverride | default (include "wasmdns.fullname" .) -}}
{{- end -}}

{{- define "wasmdns.serviceAccountName" -}}
{{- .Values.serviceAccount.name | default (.Values.serviceAccount.create | ternary (include "wasmdns.fullname" .) "default") -}}
{{- end -}}

{{/* What selects the pods: must never change in an upgrade. `suffix` is that of the autoscaler. */}}
{{- define "wasmdns.selector" -}}
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
app.kubernetes.io/name: {{ include "wasmdns.name" .root }}{{ .suffix }}
{{- if .root.Values.isClusterService }}
k8s-app: {{ .root.Values.k8sAppLabelOverride | default .root.Chart.Name | trunc 63 | trimSuffix "-" }}{{ .suffix }}
{{- end }}
{{- end -}}

{{/*
The metadata of an object: root, name; optional suffix, labels, annotations (a list of maps, the later wins), isGlobal.
*/}}
{{- define "wasmdns.metadata" -}}
{{- $root := .root -}}
name: {{ .name }}
{{- if not .isGlobal }}
namespace: {{ .namespace | default $root.Release.Namespace }}
{{- end }}
labels:
  {{- include "wasmdns.selector" (dict "root" $root "suffix" (.suffix | default "")) | nindent 2 }}
  app.kubernetes.io/managed-by: {{ $root.Release.Service | quote }}
  helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" | quote }}
  {{- if $root.Values.isClusterService }}
  kubernetes.io/cluster-service: "true"
  kubernetes.io/name: CoreDNS
  {{- end }}
  {{- with merge (dict) (.labels | default dict) $root.Values.customLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- $annotations := dict }}
{{- range concat (list $root.Values.customAnnotations) (.annotations | default list) }}
{{- $annotations = mergeOverwrite $annotations (. | default dict) }}
{{- end }}
{{- with $annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
