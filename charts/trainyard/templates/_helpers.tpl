{{- define "trainyard.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/*
At most 43 characters, so that a StatefulSet's name fits 52: its pods have a label of that name, a dash and a hash
of ten, and a label has 63 at most.
*/}}
{{- define "trainyard.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 43 | trimSuffix "-" }}
{{- else if contains (include "trainyard.name" .) .Release.Name }}
{{- .Release.Name | trunc 43 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "trainyard.name" .) | trunc 43 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{/* The namespaces whose TrainingJobs the operator serves, the release's first, as JSON. */}}
{{- define "trainyard.namespaces" -}}
{{- prepend .Values.controller.namespaces .Release.Namespace | uniq | toJson }}
{{- end }}

{{/* Labels by which pods are selected. Takes a dict of root and component. */}}
{{- define "trainyard.selectorLabels" -}}
app.kubernetes.io/name: {{ include "trainyard.name" .root | quote }}
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
app.kubernetes.io/component: {{ .component | quote }}
{{- end }}

{{/* Labels of every object. Takes a dict of root and component. */}}
{{- define "trainyard.labels" -}}
{{ include "trainyard.selectorLabels" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: trainyard
app.kubernetes.io/managed-by: {{ .root.Release.Service | quote }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | quote }}
{{- end }}

{{/* Image reference. Takes a dict of root and image (repository, tag). */}}
{{- define "trainyard.image" -}}
{{- $name := printf "%s:%s" .image.repository (.image.tag | default .root.Values.image.tag | default .root.Chart.AppVersion) }}
{{- with .root.Values.image.registry }}
{{- $name = printf "%s/%s" (trimSuffix "/" .) $name }}
{{- end }}
{{- $name }}
{{- end }}

{{/*
What every pod of the chart has in common: Pod Security "restricted", and no environment variables for
Services, since that of a Service called trainyard-api, TRAINYARD_API_PORT, is a setting of the API's own.
*/}}
{{- define "trainyard.podSpec" -}}
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . | quote }}
  {{- end }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "trainyard.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{- define "trainyard.authSecretName" -}}
{{- .Values.auth.existingSecret | default (printf "%s-auth" (include "trainyard.fullname" .)) }}
{{- end }}

{{- define "trainyard.s3SecretName" -}}
{{- .Values.storage.existingSecret | default (printf "%s-s3" (include "trainyard.fullname" .)) }}
{{- end }}

{{- define "trainyard.s3EndpointUrl" -}}
{{- if .Values.storage.bundled.enabled }}
{{- printf "http://%s-s3.%s:7070" (include "trainyard.fullname" .) .Release.Namespace }}
{{- else }}
{{- .Values.storage.endpointUrl }}
{{- end }}
{{- end }}

{{- define "trainyard.databaseSecretName" -}}
{{- .Values.database.existingSecret | default (printf "%s-postgres" (include "trainyard.fullname" .)) }}
{{- end }}

{{/* Port of a URL, for network policies. */}}
{{- define "trainyard.urlPort" -}}
{{- $url := urlParse . }}
{{- regexFind ":[0-9]+$" $url.host | trimPrefix ":" | default (ternary "80" "443" (eq $url.scheme "http")) }}
{{- end }}
