{{/* The name of all objects. */}}
{{- define "quayside.name" -}}
{{- .Values.nameOverride | default .Release.Name | trunc 53 | trimSuffix "-" -}}
{{- end -}}

{{- define "quayside.selector" -}}
app.kubernetes.io/name: quayside
app.kubernetes.io/instance: {{ include "quayside.name" . }}
{{- end -}}

{{/* Of every object; only those of the selector may never change. */}}
{{- define "quayside.labels" -}}
{{ include "quayside.selector" . }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | trunc 63 | trimAll "-_." | quote }}
{{- end -}}

{{- define "quayside.metadata" -}}
name: {{ include "quayside.name" . }}
namespace: {{ .Release.Namespace }}
labels:
  {{- include "quayside.labels" . | nindent 2 }}
{{- end -}}

{{/* Of an object that belongs to no namespace: (list . "suffix"). */}}
{{- define "quayside.clusterName" -}}
{{- $root := index . 0 -}}
{{- $name := include "quayside.name" $root -}}
{{- if ne $name $root.Release.Namespace }}{{ $root.Release.Namespace }}-{{ end }}{{ $name }}-{{ index . 1 -}}
{{- end -}}

{{/* Of an object in a namespace, where another release of that name may have one: (list . namespace "suffix"). */}}
{{- define "quayside.nameIn" -}}
{{- $root := index . 0 -}}
{{- if eq (index . 1) $root.Release.Namespace }}{{ include "quayside.name" $root }}-{{ index . 2 }}{{ else }}{{ include "quayside.clusterName" (list $root (index . 2)) }}{{ end -}}
{{- end -}}

{{- define "quayside.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (include "quayside.name" .) -}}
{{- end -}}

{{- define "quayside.image" -}}
{{- $image := .Values.image -}}
{{- if $image.digest -}}
{{ $image.repository }}@{{ $image.digest }}
{{- else -}}
{{ $image.repository }}:{{ $image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}
