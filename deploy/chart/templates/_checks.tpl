{{/* Refuses values that contradict each other, with what to change. */}}
{{- define "quayside.checks" -}}
{{- $settings := include "quayside.settings" . | fromJson -}}
{{- if not (regexMatch "^[a-z]([-a-z0-9]*[a-z0-9])?$" (include "quayside.name" .)) -}}
  {{- fail (printf "the objects cannot be named %s: nameOverride must be a-z, 0-9 and -, and begin with a letter" (include "quayside.name" .)) -}}
{{- end -}}
{{- if not (or .Values.serviceAccount.create .Values.serviceAccount.name) -}}
  {{- fail "serviceAccount.name must name an existing account where create is false, such as default" -}}
{{- end -}}
{{- range $labels := list .Values.podLabels .Values.monitoring.labels -}}
  {{- range $key := list "app.kubernetes.io/name" "app.kubernetes.io/instance" -}}
    {{- if hasKey $labels $key }}{{ fail (printf "the label %s is the chart's own: it selects the pods" $key) }}{{ end -}}
  {{- end -}}
{{- end -}}
{{- range $key := list "affinity" "automountServiceAccountToken" "containers" "enableServiceLinks" "imagePullSecrets" "initContainers" "nodeSelector" "priorityClassName" "restartPolicy" "securityContext" "serviceAccountName" "terminationGracePeriodSeconds" "tolerations" "topologySpreadConstraints" "volumes" -}}
  {{- if hasKey $.Values.podSpec $key }}{{ fail (printf "podSpec.%s is what the chart writes itself: use the value that is there for it" $key) }}{{ end -}}
{{- end -}}
{{- range $key := list "type" "selector" "ports" -}}
  {{- if hasKey $.Values.service.spec $key }}{{ fail (printf "service.spec.%s is what the chart writes itself: use service.type and service.port" $key) }}{{ end -}}
{{- end -}}
{{- if and (eq (dig "conditions" "configMap" "" $settings) (include "quayside.name" .)) (eq (dig "conditions" "namespace" "" $settings) .Release.Namespace) -}}
  {{- fail "settings.conditions.configMap must differ from the name of the release, whose ConfigMap has the settings" -}}
{{- end -}}
{{- if and .Values.preStopSeconds (semverCompare "<1.30.0-0" .Capabilities.KubeVersion.Version) -}}
  {{- fail "preStopSeconds needs Kubernetes 1.30: leave it 0, since shutdownDelayMs does the same" -}}
{{- end -}}
{{- include "quayside.published" . -}}
{{- if .Values.prune.enabled -}}
  {{- if eq .Values.prune.what "images" }}
    {{- if not .Values.prune.schedule }}{{ fail "prune.schedule must say when images are pruned, such as \"41 1 * * *\": they have no hourly form" }}{{ end -}}
    {{- if .Values.prune.tokenFile }}{{ fail "prune.tokenFile is for tags: images are deleted by a login" }}{{ end -}}
  {{- else if not .Values.prune.targets }}{{ fail "prune.targets must name what is pruned, such as quay.io/openshift/ci" }}{{ end -}}
{{- else if not (include "quayside.port" (dig "admin" "listen" "" $settings)) -}}
  {{- fail "settings.admin.listen must be an address that probes and metrics reach, such as 0.0.0.0:8401" -}}
{{- end -}}
{{- $paths := list -}}
{{- range $mount := include "quayside.mounts" . | fromJson | dig "mounts" list }}{{ $paths = append $paths $mount.path }}{{ end -}}
{{- $files := (include "quayside.files" $settings | fromJson).files -}}
{{- if .Values.prune.tokenFile }}{{ $files = append $files .Values.prune.tokenFile }}{{ end -}}
{{- range $file := $files -}}
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
  {{- $most := include "quayside.bytes" $settings.store.disk.maxBytes | int64 -}}
  {{- if not (include "quayside.hasOwnSpool" .) -}}
    {{- $most = add $most (include "quayside.bytes" (dig "spool" "maxBytes" "20GiB" $settings) | int64) -}}
  {{- end -}}
  {{- include "quayside.room" (list "disk" $most .Values.volumes.disk "true") -}}
{{- end -}}
{{- if and .Values.autoscaling.enabled (not (dig "requests" "cpu" "" .Values.resources)) -}}
  {{- fail "autoscaling by cpuPercent needs resources.requests.cpu" -}}
{{- end -}}
{{- if include "quayside.isSeveral" . -}}
  {{- if include "quayside.isClaimed" . }}{{ fail "a claim is for one pod: replicas must be 1, without autoscaling; or use an ephemeral volume" }}{{ end -}}
  {{- $copies := and (hasKey $settings "mirror") (not (dig "mirror" "dryRun" false $settings)) -}}
  {{- if and $copies (not (dig "store" "s3" "" $settings)) (not (dig "mirror" "lease" "cluster" "" $settings)) -}}
    {{- fail "several replicas with a mirror need settings.store.s3 or settings.mirror.lease, or each of them copies" -}}
  {{- end -}}
{{- end -}}
{{- $keepsApart := or (dig "store" "filesystem" "" $settings | kindIs "map") (not (dig "store" "s3" "" $settings)) -}}
{{- if and .Values.fleet.enabled $keepsApart }}{{ fail "fleet: its replicas share a bucket, settings.store.s3" }}{{ end -}}
{{- end -}}

{{/* Routes and Ingresses have a Service, hosts, and the TLS that the settings end. */}}
{{- define "quayside.published" -}}
{{- $settings := include "quayside.settings" . | fromJson -}}
{{- range $name, $value := dict "route" .Values.route "ingress" .Values.ingress -}}
  {{- if $value.enabled -}}
    {{- if not (include "quayside.port" $settings.listen) }}{{ fail (printf "%s: settings.listen must be an address that others reach" $name) }}{{ end -}}
    {{- if not (or $value.hosts (include "quayside.hosts" $ | fromJson).hosts) -}}
      {{- fail (printf "%s.hosts must name a host, since settings.hosts and settings.publicUrl name none" $name) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- $termination := .Values.route.termination -}}
{{- if and .Values.route.enabled $termination -}}
  {{- if and (eq $termination "edge") (hasKey $settings "tls") }}{{ fail "route.termination edge: the router would speak HTTP to settings.tls; use passthrough or reencrypt" }}{{ end -}}
  {{- if and (ne $termination "edge") (not (hasKey $settings "tls")) }}{{ fail (printf "route.termination %s needs settings.tls" $termination) }}{{ end -}}
{{- end -}}
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
{{- $delay := include "quayside.ms" (dig "shutdownDelayMs" "5s" (include "quayside.settings" . | fromJson)) | int64 -}}
{{- $grace := include "quayside.ms" (dig "shutdownGraceMs" "30s" (include "quayside.settings" . | fromJson)) | int64 -}}
{{- add (divf (add $delay $grace) 1000.0 | ceil | int64) (int64 .Values.preStopSeconds) 10 -}}
{{- end -}}

{{/* Whether the spool has a volume of its own; empty for no. */}}
{{- define "quayside.hasOwnSpool" -}}
{{- if dig "spool" "path" "" (include "quayside.settings" . | fromJson) }}true{{ end -}}
{{- end -}}
