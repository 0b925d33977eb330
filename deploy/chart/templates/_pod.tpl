{{/* What is mounted read-only, JSON {"mounts": [{name, path, secret, configMap, volume}]}. */}}
{{- define "quayside.mounts" -}}
{{- $mounts := list -}}
{{- range $name, $mount := include "quayside.present" .Values.mounts | fromJson -}}
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
{{- $single := list -}}
{{- range $folder := $folders -}}
  {{- /* A volume of another kind comes beside the emptyDir of the defaults. */ -}}
  {{- $volume := gt (len $folder.volume) 1 | ternary (omit $folder.volume "emptyDir") $folder.volume -}}
  {{- $single = append $single (merge (dict "volume" $volume) (omit $folder "volume")) -}}
{{- end -}}
{{- dict "folders" $single | toJson -}}
{{- end -}}

{{/* Whether a volume is a claim, which is for one pod; empty for no. */}}
{{- define "quayside.isClaimed" -}}
{{- range $folder := (include "quayside.folders" . | fromJson).folders }}{{ if hasKey $folder.volume "persistentVolumeClaim" }}true{{ end }}{{ end -}}
{{- end -}}

{{/* Whether more than one pod may serve at a time; empty for no. */}}
{{- define "quayside.isSeveral" -}}
{{- if and (not .Values.prune.enabled) (or .Values.autoscaling.enabled (gt (int .Values.replicas) 1)) }}true{{ end -}}
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
resources:
  {{- toYaml $root.Values.gitSync.resources | nindent 2 }}
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

{{/* What all pods of the chart say alike. */}}
{{- define "quayside.podCommon" -}}
serviceAccountName: {{ include "quayside.serviceAccount" . }}
automountServiceAccountToken: {{ (include "quayside.rights" . | fromJson).any }}
enableServiceLinks: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
securityContext:
  {{- merge (deepCopy .Values.podSecurityContext) (dict "runAsNonRoot" true "seccompProfile" (dict "type" "RuntimeDefault")) | toYaml | nindent 2 }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.podSpec }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "quayside.volumeMounts" -}}
# Whole directories, not subPath: what changes there arrives in the pod.
- { name: config, mountPath: /etc/quayside/config, readOnly: true }
{{- range (include "quayside.mounts" . | fromJson).mounts }}
- { name: {{ .name }}, mountPath: {{ .path }}, readOnly: true }
{{- end }}
{{- range (include "quayside.folders" . | fromJson).folders }}
- { name: {{ .name }}, mountPath: {{ .path }} }
{{- end }}
{{- end -}}

{{- define "quayside.volumes" -}}
volumes:
  - name: config
    configMap: { name: {{ include "quayside.name" . }} }
  {{- range (include "quayside.mounts" . | fromJson).mounts }}
  - name: {{ .name }}
    {{- if .secret }}
    secret: { secretName: {{ .secret }} }
    {{- else if .configMap }}
    configMap: { name: {{ .configMap }} }
    {{- else if .volume }}
    {{- toYaml .volume | nindent 4 }}
    {{- else }}
    emptyDir: { sizeLimit: {{ $.Values.gitSync.sizeLimit }} }
    {{- end }}
  {{- end }}
  {{- range (include "quayside.folders" . | fromJson).folders }}
  - name: {{ .name }}
    {{- toYaml .volume | nindent 4 }}
  {{- end }}
{{- end -}}
