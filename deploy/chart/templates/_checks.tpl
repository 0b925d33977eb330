{{/* Refuses values that contradict each other, with what to change. */}}
{{- define "quayside.checks" -}}
{{- $settings := include "quayside.settings" . | fromJson -}}
{{- if not (include "quayside.port" (dig "admin" "listen" "" $settings)) -}}
  {{- fail "settings.admin.listen must be an address that probes and metrics reach, such as 0.0.0.0:8401" -}}
{{- end -}}
{{- $paths := list -}}
{{- range $mount := include "quayside.mounts" . | fromJson | dig "mounts" list }}{{ $paths = append $paths $mount.path }}{{ end -}}
{{- range $file := (include "quayside.files" $settings | fromJson).files -}}
  {{- $found := false -}}
  {{- range $path := $paths }}{{ if hasPrefix (printf "%s/" $path) $file }}{{ $found = true }}{{ end }}{{ end -}}
  {{- if not $found }}{{ fail (printf "the settings name the file %s, and no entry of mounts is at a folder above it: %s" $file (join ", " $paths)) }}{{ end -}}
{{- end -}}
{{- /* Helm sorts the keys of a map. */ -}}
{{- if gt (len (dig "clusters" (dict) $settings)) 1 -}}
  {{- range $name, $host := dig "hosts" (dict) $settings -}}
    {{- if and (eq (dig "auth" "none" ($host | default dict)) "cluster") (not $host.clusters) -}}
      {{- fail (printf "settings.hosts.%s.clusters must name the clusters in the order in which they are asked" $name) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- $least := include "quayside.stopSeconds" . | int -}}
{{- $given := .Values.terminationGracePeriodSeconds | int -}}
{{- if and (gt $given 0) (lt $given $least) -}}
  {{- fail (printf "terminationGracePeriodSeconds is %d: preStopSeconds, shutdownDelayMs and shutdownGraceMs need %d" $given $least) -}}
{{- end -}}
{{- include "quayside.room" (list "spool" (dig "spool" "maxBytes" "20GiB" $settings) .Values.volumes.spool (include "quayside.hasOwnSpool" .)) -}}
{{- if dig "store" "disk" "" $settings -}}
  {{- include "quayside.room" (list "disk" $settings.store.disk.maxBytes .Values.volumes.disk "true") -}}
{{- end -}}
{{- if .Values.autoscaling.enabled -}}
  {{- if not (dig "requests" "cpu" "" .Values.resources) }}{{ fail "autoscaling by cpuPercent needs resources.requests.cpu" }}{{ end -}}
  {{- if .Values.claim }}{{ fail "autoscaling: a claim is for one pod" }}{{ end -}}
{{- end -}}
{{- $keepsApart := or (dig "store" "filesystem" "" $settings | kindIs "map") (not (dig "store" "s3" "" $settings)) -}}
{{- if and .Values.fleet.enabled $keepsApart }}{{ fail "fleet: its replicas share a bucket, settings.store.s3" }}{{ end -}}
{{- end -}}

{{/* A volume that is larger than what the settings let it hold: (list name bytes volume counts). */}}
{{- define "quayside.room" -}}
{{- $limit := dig "emptyDir" "sizeLimit" "" (index . 2) -}}
{{- if and (index . 3) $limit -}}
  {{- $most := include "quayside.bytes" (index . 1) | int64 -}}
  {{- if le (include "quayside.bytes" $limit | int64) $most -}}
    {{- fail (printf "volumes.%s has a sizeLimit of %s: it must be above %v, or the pod is evicted" (index . 0) $limit (index . 1)) -}}
  {{- end -}}
{{- end -}}
{{- end -}}

{{/* Seconds from the order to stop until the process has ended by itself, and 10 more. */}}
{{- define "quayside.stopSeconds" -}}
{{- $delay := include "quayside.ms" (dig "shutdownDelayMs" "5s" .Values.settings) | int64 -}}
{{- $grace := include "quayside.ms" (dig "shutdownGraceMs" "30s" .Values.settings) | int64 -}}
{{- add (divf (add $delay $grace) 1000.0 | ceil | int64) (int64 .Values.preStopSeconds) 10 -}}
{{- end -}}

{{/* Whether the spool has a volume of its own; empty for no. */}}
{{- define "quayside.hasOwnSpool" -}}
{{- if dig "spool" "path" "" (include "quayside.settings" . | fromJson) }}true{{ end -}}
{{- end -}}
