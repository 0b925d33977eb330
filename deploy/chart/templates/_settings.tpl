{{/* The settings as the server reads them, JSON: those of the values, and what the chart knows itself. */}}
{{- define "quayside.settings" -}}
{{- $settings := include "quayside.present" .Values.settings | fromJson -}}
{{- if .Values.fleet.enabled -}}
  {{- $given := dig "fleet" (dict) $settings -}}
  {{- $fleet := merge (deepCopy $given) (dict "listen" (printf "0.0.0.0:%v" .Values.fleet.port) "keyFile" "/etc/quayside/fleet/key") -}}
  {{- if not (or $given.addresses $given.dns $given.endpointSlices) -}}
    {{- $_ := set $fleet "dns" (printf "%s-fleet.%s.svc:%s" (include "quayside.name" .) .Release.Namespace (regexFind "[0-9]+$" $fleet.listen)) -}}
  {{- end -}}
  {{- $_ := set $settings "fleet" $fleet -}}
{{- end -}}
{{- if not (or .Values.prune.enabled (dig "store" "disk" "" $settings) (dig "store" "filesystem" "" $settings)) -}}
  {{- $_ := set $settings "spool" (merge (dig "spool" (dict) $settings) (dict "path" "/var/lib/quayside/spool")) -}}
{{- end -}}
{{- if and (dig "conditions" "cluster" "" $settings) (not (dig "conditions" "namespace" "" $settings)) -}}
  {{- $_ := set $settings.conditions "namespace" .Release.Namespace -}}
{{- end -}}
{{- $settings | toJson -}}
{{- end -}}

{{/* A copy of a map without what is null, by which a later file with values takes something away; JSON. */}}
{{- define "quayside.present" -}}
{{- $result := dict -}}
{{- range $key, $value := . -}}
  {{- if kindIs "map" $value }}{{ $_ := set $result $key (include "quayside.present" $value | fromJson) }}
  {{- else if not (kindIs "invalid" $value) }}{{ $_ := set $result $key $value }}
  {{- end -}}
{{- end -}}
{{- $result | toJson -}}
{{- end -}}

{{/* The port of `host:port`, empty for loopback and for none. */}}
{{- define "quayside.port" -}}
{{- if and (kindIs "string" .) (not (regexMatch "^(127\\.|localhost:|\\[::1\\]:)" .)) -}}
{{- regexFind "[0-9]+$" . -}}
{{- end -}}
{{- end -}}

{{/* Milliseconds of a setting: a number, or text with a unit. */}}
{{- define "quayside.ms" -}}
{{- if kindIs "string" . -}}
{{- $factors := dict "ms" 1.0 "s" 1000.0 "m" 60000.0 "h" 3600000.0 "d" 86400000.0 -}}
{{- $unit := regexFind "[a-z]+$" . -}}
{{- if not (hasKey $factors $unit) }}{{ fail (printf "%s is not a time, such as 500ms, 30s, 5m" .) }}{{ end -}}
{{- mulf (regexFind "^[0-9.]+" . | float64) (get $factors $unit) | int64 -}}
{{- else -}}
{{- int64 . -}}
{{- end -}}
{{- end -}}

{{/* Bytes of a setting (64MiB, 200MB) or of a quantity of Kubernetes (64Mi, 200M). */}}
{{- define "quayside.bytes" -}}
{{- if kindIs "string" . -}}
{{- $factors := dict "" 1.0 "k" 1e3 "K" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "Ki" 1024.0 "Mi" 1048576.0 "Gi" 1073741824.0 "Ti" 1099511627776.0 "P" 1e15 "Pi" 1125899906842624.0 -}}
{{- $unit := regexFind "[A-Za-z]*$" . | trimSuffix "B" -}}
{{- if not (hasKey $factors $unit) }}{{ fail (printf "%s is not a size, such as 64MiB, 50GiB" .) }}{{ end -}}
{{- mulf (regexFind "^[0-9.]+" . | float64) (get $factors $unit) | int64 -}}
{{- else -}}
{{- int64 . -}}
{{- end -}}
{{- end -}}

{{/* Every file that settings name, JSON {"files": […]}. */}}
{{- define "quayside.files" -}}
{{- $files := list -}}
{{- if kindIs "map" . -}}
  {{- range $key, $value := . -}}
    {{- if and (hasSuffix "File" $key) (kindIs "string" $value) }}{{ $files = append $files $value }}
    {{- else if and (hasSuffix "Files" $key) (kindIs "slice" $value) }}{{ $files = concat $files $value }}
    {{- else if kindIs "map" $value }}{{ $files = concat $files (include "quayside.files" $value | fromJson).files }}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- dict "files" ($files | default list) | toJson -}}
{{- end -}}

{{/* What of the cluster around the pods the settings use, JSON: flags of each right. */}}
{{- define "quayside.rights" -}}
{{- $settings := include "quayside.settings" . | fromJson -}}
{{- $here := list -}}
{{- $elsewhere := false -}}
{{- range $name, $cluster := dig "clusters" (dict) $settings -}}
  {{- if dig "kubeconfigFile" "" ($cluster | default dict) }}{{ $elsewhere = true }}{{ else }}{{ $here = append $here $name }}{{ end -}}
{{- end -}}
{{- $reviews := has (dig "admin" "cluster" "" $settings) $here -}}
{{- range $host := dig "hosts" (dict) $settings -}}
  {{- if eq (dig "auth" "none" ($host | default dict)) "cluster" -}}
    {{- range $name := $here -}}
      {{- if or (not (hasKey $host "clusters")) (has $name ($host.clusters | default list)) }}{{ $reviews = true }}{{ end -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- $everywhere := false -}}
{{- $namespaces := list -}}
{{- range $name := $here -}}
  {{- $streams := dig "clusters" $name "streams" nil $settings -}}
  {{- if kindIs "map" $streams -}}
    {{- if $streams.namespaces }}{{ $namespaces = concat $namespaces $streams.namespaces }}{{ else }}{{ $everywhere = true }}{{ end -}}
  {{- end -}}
{{- end -}}
{{- $mirror := dig "mirror" (dict) $settings -}}
{{- $copies := has (dig "imageStreams" "cluster" "" $mirror) $here -}}
{{- $lease := has (dig "lease" "cluster" "" $mirror) $here -}}
{{- $conditions := has (dig "conditions" "cluster" "" $settings) $here -}}
{{- $slices := has (dig "fleet" "endpointSlices" "cluster" "" $settings) $here -}}
{{- if .Values.prune.enabled }}{{ $reviews = false }}{{ $copies = false }}{{ $conditions = false }}{{ $slices = false }}{{ end -}}
{{- $images := and .Values.prune.enabled (eq .Values.prune.what "images") (not .Values.prune.targets) -}}
{{- $any := or $images $reviews $everywhere $namespaces $copies $lease $conditions $slices | not | not -}}
{{- dict "reviews" $reviews "streams" $everywhere "namespaces" ($namespaces | uniq) "copies" $copies "lease" $lease "conditions" $conditions "slices" $slices "images" $images "any" $any "elsewhere" $elsewhere | toJson -}}
{{- end -}}

{{/*
The settings without those that a running server takes over, which files/reloadable.json lists as
paths; `*` stands for every key.
*/}}
{{- define "quayside.restartSettings" -}}
{{- $settings := include "quayside.settings" . | fromJson -}}
{{- range $path := .Files.Get "files/reloadable.json" | fromJsonArray -}}
  {{- $settings = include "quayside.without" (list $settings $path) | fromJson -}}
{{- end -}}
{{- $settings | toJson -}}
{{- end -}}

{{/*
A copy of a map without what is at a path of keys: (list map path), JSON. A section of which nothing
is left is as one that is absent.
*/}}
{{- define "quayside.without" -}}
{{- $map := index . 0 -}}
{{- $path := index . 1 -}}
{{- $rest := rest $path -}}
{{- $result := dict -}}
{{- range $key, $value := $map -}}
  {{- if not (has (first $path) (list "*" $key)) }}{{ $_ := set $result $key $value }}
  {{- else if and $rest (kindIs "map" $value) }}
    {{- $left := include "quayside.without" (list $value $rest) | fromJson }}
    {{- if $left }}{{ $_ := set $result $key $left }}{{ end }}
  {{- else if $rest }}{{ $_ := set $result $key $value }}
  {{- end -}}
{{- end -}}
{{- $result | toJson -}}
{{- end -}}
