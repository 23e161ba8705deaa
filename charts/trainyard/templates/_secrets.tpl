{{/*
The data of a generated Secret as YAML, in base64: what the cluster has already, else random.
Takes a dict of root, name and keys (key: length). Remembered for the length of one rendering, so that the
Secret and the checksum of it that is put on pods agree.
*/}}
{{- define "trainyard.generatedSecret" -}}
{{- $generated := .root.Values.generatedSecrets | default dict }}
{{- if not (hasKey $generated .name) }}
{{- $stored := (lookup "v1" "Secret" .root.Release.Namespace .name).data | default dict }}
{{- $data := dict }}
{{- range $key, $length := .keys }}
{{- $_ := set $data $key (get $stored $key | default (randAlphaNum (int $length) | b64enc)) }}
{{- end }}
{{- $_ := set $generated .name $data }}
{{- $_ := set .root.Values "generatedSecrets" $generated }}
{{- end }}
{{- get $generated .name | toYaml }}
{{- end }}

{{- define "trainyard.authSecret" -}}
{{- include "trainyard.generatedSecret" (dict "root" . "name" (include "trainyard.authSecretName" .) "keys" (dict "jwt-secret" 48)) }}
{{- end }}

{{- define "trainyard.s3Secret" -}}
{{- include "trainyard.generatedSecret" (dict "root" . "name" (include "trainyard.s3SecretName" .) "keys" (dict "AWS_ACCESS_KEY_ID" 20 "AWS_SECRET_ACCESS_KEY" 40)) }}
{{- end }}

{{/* Pods read Secrets when they start: a changed checksum starts them anew. */}}
{{- define "trainyard.authChecksum" -}}
{{- if .Values.auth.existingSecret }}
{{- (lookup "v1" "Secret" .Release.Namespace .Values.auth.existingSecret).data | toJson | sha256sum }}
{{- else }}
{{- include "trainyard.authSecret" . | sha256sum }}
{{- end }}
{{- end }}

{{- define "trainyard.s3Checksum" -}}
{{- if .Values.storage.existingSecret }}
{{- (lookup "v1" "Secret" .Release.Namespace .Values.storage.existingSecret).data | toJson | sha256sum }}
{{- else }}
{{- include "trainyard.s3Secret" . | sha256sum }}
{{- end }}
{{- end }}
