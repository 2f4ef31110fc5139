{{/*
The ports of the server blocks as a JSON list of {number, protocol, servicePort, nodePort, hostPort}: blocks on one port share
it. Zones are served over UDP, and over TCP too with `use_tcp`; those of an encrypted transport over TCP alone.
*/}}
{{- define "wasmdns.ports" -}}
{{- $ports := dict -}}
{{- range .Values.servers -}}
  {{- $number := .port | default 53 | toString -}}
  {{- $port := get $ports $number | default (dict "UDP" false "TCP" false "servicePort" (.servicePort | default .port | default 53)) -}}
  {{- range .zones -}}
    {{- if has (.scheme | default "dns://") (list "dns://" "") -}}
      {{- $_ := set $port "UDP" true -}}
      {{- if .use_tcp -}}{{- $_ := set $port "TCP" true -}}{{- end -}}
    {{- else -}}
      {{- $_ := set $port "TCP" true -}}
    {{- end -}}
  {{- end -}}
  {{- if not .zones -}}{{- $_ := set $port "UDP" true -}}{{- end -}}
  {{- if .nodePort -}}{{- $_ := set $port "nodePort" .nodePort -}}{{- end -}}
  {{- if .hostPort -}}{{- $_ := set $port "hostPort" .hostPort -}}{{- end -}}
  {{- $_ := set $ports $number $port -}}
{{- end -}}
{{- $list := list -}}
{{- range $number := keys $ports | sortAlpha -}}
  {{- $port := get $ports $number -}}
  {{- range $protocol := list "UDP" "TCP" -}}
    {{- if get $port $protocol -}}
      {{- $entry := dict "number" (int $number) "protocol" $protocol "servicePort" (int $port.servicePort) -}}
      {{- if $port.nodePort -}}{{- $_ := set $entry "nodePort" (int $port.nodePort) -}}{{- end -}}
      {{- if $port.hostPort -}}{{- $_ := set $entry "hostPort" (int $port.hostPort) -}}{{- end -}}
      {{- $list = append $list $entry -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- $list | toJson -}}
{{- end -}}

{{/* The port that the first `prometheus` directive listens on: 9153 unless its address says otherwise. */}}
{{- define "wasmdns.metricsPort" -}}
{{- $found := list -}}
{{- range .Values.servers -}}
  {{- range .plugins -}}
    {{- if eq .name "prometheus" -}}
      {{- $port := regexFind "[0-9]+$" (.parameters | default "" | toString) -}}
      {{- $found = append $found ($port | default "9153") -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- first (append $found "9153") -}}
{{- end -}}

{{- define "wasmdns.hasPrometheus" -}}
{{- range .Values.servers -}}{{- range .plugins -}}{{- if eq .name "prometheus" -}}yes{{- end -}}{{- end -}}{{- end -}}
{{- end -}}
