{{/* What is mounted from Secrets and ConfigMaps, JSON {"mounts": [{name, path, secret, configMap}]}. */}}
{{- define "quayside.mounts" -}}
{{- $mounts := list -}}
{{- range $name, $mount := .Values.mounts -}}
  {{- $path := $mount.path | default (printf "/etc/quayside/%s" $name) -}}
  {{- $mounts = append $mounts (merge (dict "name" $name "path" $path) $mount) -}}
{{- end -}}
{{- if .Values.fleet.enabled -}}
  {{- $mounts = append $mounts (dict "name" "fleet" "path" "/etc/quayside/fleet" "secret" .Values.fleet.secret) -}}
{{- end -}}
{{- if .Values.gitSync.enabled -}}
  {{- $mounts = append $mounts (dict "name" "checkout" "path" .Values.gitSync.root) -}}
{{- end -}}
{{- dict "mounts" $mounts | toJson -}}
{{- end -}}

{{/* Directories that the settings name, JSON {"folders": [{name, path, volume}]}. */}}
{{- define "quayside.folders" -}}
{{- $settings := include "quayside.settings" . | fromJson -}}
{{- $folders := list (dict "name" "tmp" "path" "/tmp" "volume" .Values.volumes.tmp) -}}
{{- if include "quayside.hasOwnSpool" . -}}
  {{- $folders = append $folders (dict "name" "spool" "path" $settings.spool.path "volume" .Values.volumes.spool) -}}
{{- end -}}
{{- with dig "store" "disk" "" $settings -}}
  {{- $folders = append $folders (dict "name" "disk" "path" .path "volume" $.Values.volumes.disk) -}}
{{- end -}}
{{- with dig "store" "filesystem" "" $settings -}}
  {{- $volume := $.Values.volumes.store -}}
  {{- if $.Values.claim }}{{ $volume = dict "persistentVolumeClaim" (dict "claimName" (include "quayside.name" $)) }}{{ end -}}
  {{- $folders = append $folders (dict "name" "store" "path" (required "settings.store.filesystem.path must be a path of a volume, such as /var/lib/quayside/store" .path) "volume" $volume) -}}
{{- end -}}
{{- dict "folders" $folders | toJson -}}
{{- end -}}

{{- define "quayside.locked" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end -}}

{{/* One run of git-sync: (list . words…), its container without a name. */}}
{{- define "quayside.gitSync" -}}
{{- $root := index . 0 -}}
image: {{ $root.Values.gitSync.image }}
args:
  - --repo={{ $root.Values.gitSync.repo }}
  - --ref={{ $root.Values.gitSync.ref }}
  - --root={{ $root.Values.gitSync.root }}
  - --link={{ $root.Values.gitSync.link }}
  - --depth=1
  {{- range rest . }}
  - {{ . }}
  {{- end }}
securityContext:
  {{- include "quayside.locked" $root | nindent 2 }}
volumeMounts:
  - { name: checkout, mountPath: {{ $root.Values.gitSync.root }} }
  - { name: tmp, mountPath: /tmp }
{{- end -}}
