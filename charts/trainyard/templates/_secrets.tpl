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
{{- include "trainyard.generatedSecret" (dict "root" . "name" (include "trainyard.authSecretName" .) "keys" (dict "jwt-secret" 48 "service-token" 48)) }}
{{- end }}

{{- define "trainyard.s3Secret" -}}
{{- include "trainyard.generatedSecret" (dict "root" . "name" (include "trainyard.s3SecretName" .) "keys" (dict "AWS_ACCESS_KEY_ID" 20 "AWS_SECRET_ACCESS_KEY" 40)) }}
{{- end }}

{{/* The URL follows from the password. */}}
{{- define "trainyard.databaseSecret" -}}
{{- $data := include "trainyard.generatedSecret" (dict "root" . "name" (include "trainyard.databaseSecretName" .) "keys" (dict "password" 40)) }}
{{- $data }}
{{- $host := printf "%s-postgres" (include "trainyard.fullname" .) }}
database-url: {{ printf "postgresql://trainyard:%s@%s:5432/trainyard" ((fromYaml $data).password | b64dec) $host | b64enc }}
{{- end }}

{{/* Pods read Secrets when they start: a changed checksum starts them anew. */}}
{{- define "trainyard.authChecksum" -}}
{{- include "trainyard.secretChecksum" (dict "root" . "existing" .Values.auth.existingSecret "generated" "trainyard.authSecret") }}
{{- end }}

{{- define "trainyard.s3Checksum" -}}
{{- include "trainyard.secretChecksum" (dict "root" . "existing" .Values.storage.existingSecret "generated" "trainyard.s3Secret") }}
{{- end }}

{{- define "trainyard.databaseChecksum" -}}
{{- include "trainyard.secretChecksum" (dict "root" . "existing" .Values.database.existingSecret "generated" "trainyard.databaseSecret") }}
{{- end }}

{{/* Takes a dict of root, existing (name of a Secret) and generated (template of its data, if there is none). */}}
{{- define "trainyard.secretChecksum" -}}
{{- if .existing }}
{{- (lookup "v1" "Secret" .root.Release.Namespace .existing).data | toJson | sha256sum }}
{{- else }}
{{- include .generated .root | sha256sum }}
{{- end }}
{{- end }}
